// What of Node.js a worker gets, by its compatibility date and flags. The host adds them up (worker/compatibility.h).

export const NODE_MODULES = 1;           // nodejs_compat: the modules, Buffer, process and their like
export const NODE_PROCESS_ENV = 2;       // nodejs_compat_populate_process_env: `env` is also in process.env
export const NODE_GLOBAL_TIMERS = 4;     // enable_nodejs_global_timers: setTimeout() returns an object
