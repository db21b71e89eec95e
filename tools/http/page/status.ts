// What /status.json and /logs.json say (tools/http/page-data.h, supervisor/status.h). The server writes the shapes; the texts in them
// were written by workers and strangers.

export interface Histogram { bounds: number[]; counts: number[]; sum: number }

export interface Capability { label: string; kind: string; calls: number; bytesOut: number; bytesIn: number }

export interface Worker {
  id: number;
  name?: string;
  pid?: number;
  cpuMs?: number;
  memoryBytes?: number;
  state: string;
  ageMs: number;
  loadedBy?: string;
  callsInFlight: number;
  children: number;
  liveCapabilities: number;
  capabilities: Capability[];
  callsOut: { calls: number; inFlight: number };
}

export interface Ending {
  serial: number;
  time: number;
  what: "call" | "worker" | "letGo";
  worker: number;
  name: string;
  method?: string;
  times?: number;
  cpuMs?: number;
  peakMemoryBytes?: number;
  outcome: string;
  message: string;
}

export interface Call { time: number; pid: number; method: string; outcome: string; cpuUs: number; wallUs: number }

export interface Requests {
  inFlight: number;
  givenUp: number;
  workerRestarts: number;
  byStatus: Record<string, number>;
  time: Histogram;
}

export interface Status {
  time: number;
  project?: string;
  draining: boolean;
  requests?: Requests;
  callTime: Histogram;
  workerCpuMs: number;
  workerMemoryBytes: number;
  endings: Ending[];
  supervisor: {
    profile: string;
    layers: { name: string; inForce: boolean; required: boolean }[];
    pool: { warm: number; starting: number };
    loads: number;
    calls: number;
    liveWorkers: number;
    callsInFlight: number;
    workersMemoryBytes: number;   // 0: nobody counts it
    workers: Worker[];
    recent: Call[];
  };
}

export interface Logs { worker: number; name: string; ended: boolean; cut: boolean; lines: { time: number; level: string; text: string }[] }

// A server that does not answer for so long is taken for gone, until it does.
const TIMEOUT_MS = 5_000;

async function ask(path: string): Promise<Response> {
  return await fetch(path, { cache: "no-store", credentials: "omit", redirect: "error", signal: AbortSignal.timeout(TIMEOUT_MS) });
}

export async function askStatus(): Promise<Status> {
  const response = await ask("status.json");
  if (!response.ok) throw new Error(`status.json: ${response.status}`);
  return await response.json() as Status;
}

// Undefined: nothing is known of such a worker any more.
export async function askLogs(worker: number): Promise<Logs | undefined> {
  const response = await ask(`logs.json?worker=${worker}`);
  if (response.status === 404) return undefined;
  if (!response.ok) throw new Error(`logs.json: ${response.status}`);
  return await response.json() as Logs;
}
