import { pause } from "./pause.js";

/** An event as the server's JSON shows it: snake_case names, absent fields missing. */
export interface JsonRunEvent {
  event_type: string;
  run_id: string;
  sequence?: number;
  [field: string]: unknown;
}

/** How events are followed. */
export interface SseOptions {
  /** Only events with a greater sequence. */
  afterSequence?: number;
  /** Sent as `authorization: Bearer`, which EventSource cannot. */
  token?: string;
  signal?: AbortSignal;
  /** How often in a row a broken stream is taken up again. Default: 20. */
  reconnects?: number;
  /** First pause before that, in milliseconds; it doubles up to 5000. Default: 200. */
  reconnectDelayMs?: number;
}

/** The server's answer was not a stream. */
export class SseError extends Error {
  override readonly name = "SseError";

  constructor(
    readonly status: number,
    readonly body: string,
  ) {
    super(`HTTP ${status}: ${body}`);
  }
}

/**
 * Yields a run's events from GET /v1/runs/{runId}/events until it has ended; after a break it goes on with
 * Last-Event-ID, so that none is lost and none comes twice. Needs nothing but fetch.
 */
export async function* watchSse(baseUrl: string, runId: string, options: SseOptions = {}): AsyncGenerator<JsonRunEvent, void> {
  let last = options.afterSequence ?? 0;
  const reconnects = options.reconnects ?? 20;
  let broken = 0;
  for (;;) {
    try {
      for await (const event of readOnce(baseUrl, runId, last, options)) {
        if (event.sequence !== undefined && event.sequence <= last) continue;
        if (event.event_type === "stream_error") break;
        last = event.sequence ?? last;
        broken = 0;
        yield event;
        if (event.event_type === "run_completed") return;
      }
      if (await nothingAfter(baseUrl, runId, last, options)) return;
      if (broken >= reconnects) throw new SseError(503, "the stream keeps ending early");
    } catch (failure) {
      const refused = failure instanceof SseError && failure.status < 500;
      if (refused || options.signal?.aborted || broken >= reconnects) throw failure;
    }
    await pause(Math.min((options.reconnectDelayMs ?? 200) * 2 ** broken, 5000), options.signal);
    broken += 1;
  }
}

/** Whether a stream that ended without run_completed had nothing more to say. */
async function nothingAfter(baseUrl: string, runId: string, last: number, options: SseOptions): Promise<boolean> {
  const response = await request(baseUrl, runId, "", {}, options);
  const run = (await response.json()) as { status: string; ledger_head?: { sequence: number } };
  return run.status !== "running" && run.status !== "paused" && (run.ledger_head?.sequence ?? 0) <= last;
}

/** GETs something of a run. Throws SseError unless the answer is OK. */
async function request(
  baseUrl: string,
  runId: string,
  what: string,
  headers: Record<string, string>,
  { token, signal }: SseOptions,
): Promise<Response> {
  const url = `${baseUrl.replace(/\/$/, "")}/v1/runs/${encodeURIComponent(runId)}${what}`;
  const authorization: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
  const response = await fetch(url, { headers: { ...headers, ...authorization }, signal: signal ?? null });
  if (!response.ok) throw new SseError(response.status, await response.text());
  return response;
}

async function* readOnce(baseUrl: string, runId: string, last: number, options: SseOptions): AsyncGenerator<JsonRunEvent, void> {
  const headers: Record<string, string> = { accept: "text/event-stream" };
  if (last > 0) headers["last-event-id"] = String(last);
  const { body } = await request(baseUrl, runId, "/events", headers, options);
  if (body === null) return;
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (text + value).split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) {
        const data = block.split("\n").filter((line) => line.startsWith("data:"));
        if (data.length > 0) yield JSON.parse(data.map((line) => line.slice(5).trimStart()).join("\n")) as JsonRunEvent;
      }
    }
  } finally {
    await reader.cancel();
  }
}
