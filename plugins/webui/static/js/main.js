// Starts the page: the frame around everything, then the section that the address names.

import { keepTimes } from './base/time.js';
import { frame } from './shell/frame.js';
import { keys } from './shell/keys.js';
import { palette } from './shell/palette.js';
import { router } from './shell/router.js';
import { theme } from './shell/theme.js';
import { tokenDialog } from './shell/token.js';

import approvals from './pages/approvals.js';
import call from './pages/call.js';
import calls from './pages/calls.js';
import denials from './pages/denials.js';
import events from './pages/events.js';
import incident from './pages/incident.js';
import incidents from './pages/incidents.js';
import overview from './pages/overview.js';
import plugin from './pages/plugin.js';
import plugins from './pages/plugins.js';
import settings from './pages/settings.js';
import task from './pages/task.js';
import taskNew from './pages/task-new.js';
import tasks from './pages/tasks.js';
import tool from './pages/tool.js';
import tools from './pages/tools.js';

const ROUTES = [
  ['/', overview],
  ['/plugins', plugins],
  ['/plugins/:id', plugin],
  ['/tools', tools],
  ['/tools/:name', tool],
  ['/calls', calls],
  ['/calls/denied', denials],
  ['/calls/:id', call],
  ['/incidents', incidents],
  ['/incidents/:id', incident],
  ['/tasks', tasks],
  ['/tasks/new', taskNew],
  ['/tasks/:id', task],
  ['/approvals', approvals],
  ['/events', events],
  ['/settings', settings],
  ['/settings/:id', settings],
];

theme.start();
tokenDialog.start();
const { main, navigated } = frame();
keepTimes();
keys.start();
palette.start();
router.start(ROUTES, main, navigated);
