import Goop, { data, GoopError } from "/sdk/goop.mjs";
import { data as onlyData } from "/sdk/goop-data.mjs";

window.moduleSays = [Goop === window.Goop, data === window.Goop.data, data === onlyData, GoopError === window.Goop.Error].join();
