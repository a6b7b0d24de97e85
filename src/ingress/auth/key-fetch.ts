/**
 * Fetching a small document over HTTPS from a server that may be slow, huge or hostile. Any thread.
 */

/**
 * The body of `url` as text. Rejects after `timeoutMs` in all, beyond `bytesMax`, at any status but
 * 200 and at redirects.
 */
export async function fetchText(
  url: string,
  bounds: { readonly timeoutMs: number; readonly bytesMax: number },
): Promise<string> {
  const response = await fetch(url, {
    headers: { accept: "application/json" },
    redirect: "error",
    signal: AbortSignal.timeout(bounds.timeoutMs),
  });
  if (response.status !== 200 || response.body === null) {
    await response.body?.cancel();
    throw new Error(`answered ${response.status}`);
  }
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response.body) {
    bytes += (piece as Uint8Array).length;
    if (bytes > bounds.bytesMax) throw new Error(`answered more than ${bounds.bytesMax} bytes`);
    pieces.push(piece as Uint8Array);
  }
  return Buffer.concat(pieces).toString("utf8");
}
