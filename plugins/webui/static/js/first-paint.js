// Sets the chosen colour scheme before anything is painted. A classic script, because modules run too late for that.
'use strict';

try {
  const scheme = localStorage.getItem('toolgate.scheme');
  if (scheme === 'light' || scheme === 'dark') {
    document.documentElement.dataset.scheme = scheme;
  }
} catch {
  // Storage is forbidden here: the system's scheme is used.
}
