// In every room: visits that are over leave nothing in this browser.

import { sweep } from "/assets/visits.js";

sweep();
