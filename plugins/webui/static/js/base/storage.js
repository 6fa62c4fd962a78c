// What the browser keeps for this page. Where it may keep nothing, it lives as long as the page.

const memory = new Map();

/** A value that stays in this browser: choices of looks, nothing secret. */
export const kept = slot('localStorage');

/** A value that goes with the tab: the token. */
export const forThisTab = slot('sessionStorage');

function slot(area) {
  return {
    get(name) {
      try {
        return window[area].getItem(`toolgate.${name}`);
      } catch {
        return memory.get(name) ?? null;
      }
    },
    set(name, value) {
      try {
        if (value === null) {
          window[area].removeItem(`toolgate.${name}`);
        } else {
          window[area].setItem(`toolgate.${name}`, value);
        }
      } catch {
        memory.set(name, value);
      }
    },
  };
}
