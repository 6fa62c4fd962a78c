// The sections of the page: where they are, what they are called, and the key that goes there.

export const SECTIONS = [
  { path: '', label: 'Overview', icon: 'pulse', key: 'o' },
  { path: 'tools', label: 'Tools', icon: 'wrench', key: 't' },
  { path: 'tasks', label: 'Tasks', icon: 'clock', key: 'k' },
  { path: 'approvals', label: 'Approvals', icon: 'stamp', key: 'a' },
  { path: 'events', label: 'Events', icon: 'broadcast', key: 'e' },
  { path: 'plugins', label: 'Plugins', icon: 'plug', key: 'p', group: 'Operate' },
  { path: 'calls', label: 'Calls', icon: 'list', key: 'c' },
  { path: 'incidents', label: 'Incidents', icon: 'flag', key: 'i' },
  { path: 'settings', label: 'Settings', icon: 'sliders', key: 's' },
];
