/**
 * A bucket of any S3 service, below a prefix.
 *
 *   small file   PutObject, only if there is none (If-None-Match: *)
 *   large file   parts of 8 MiB; what an earlier try left behind is aborted first
 *   412          there is one: the same digest means that an earlier reply was lost
 *
 * Services without conditional writes are noticed (conditional-writes.ts): there a file is looked
 * for first, and put if it is not there. Bodies are buffers, never streams, so that every service
 * gets a length. The only file that imports the AWS SDK. Any thread with an event loop.
 */
import { open, stat } from "node:fs/promises";
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import type { S3Config } from "../config/types.ts";
import type { ConditionalWrites } from "./conditional-writes.ts";
import {
  ObjectConflictError,
  type ObjectDigest,
  type ObjectEntry,
  type ObjectStore,
} from "./object-store.ts";

const PART_BYTES = 8 * 1024 * 1024;
const CONNECT_MS_MAX = 5000;
/** A call that takes longer is given up: enough for a part at 150 kB/s. */
const CALL_MS_MAX = 60_000;
/** So is one whose socket is silent for so long: a file that is read may take any time in all. */
const SILENT_MS_MAX = 60_000;
/** Beyond them the caller waits and tries again. */
const ATTEMPTS_MAX = 2;
const NO_SUCH = [404, "NotFound", "NoSuchKey"];
const EXISTS = [412, "PreconditionFailed"];
const UNCONDITIONAL = [501, "NotImplemented", "InvalidArgument"];

export class S3ObjectStore implements ObjectStore {
  readonly place: string;
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;
  readonly #conditions: ConditionalWrites | null;

  /** `conditions` null: the service is never asked for any. */
  constructor(
    config: S3Config,
    bucket: string,
    prefix: string,
    conditions: ConditionalWrites | null,
  ) {
    this.#conditions = conditions;
    const { endpoint, region, accessKey, secretKey, pathStyle, checksum } = config;
    const when = checksum === "when_required" ? "WHEN_REQUIRED" : "WHEN_SUPPORTED";
    this.#bucket = bucket;
    this.#prefix = prefix;
    this.place = `s3://${bucket}/${prefix}`;
    // Its version is pinned: what it says about versions to come is not for the gateway's operator.
    process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] ??= "true";
    this.#client = new S3Client({
      region,
      forcePathStyle: pathStyle,
      requestChecksumCalculation: when,
      responseChecksumValidation: when,
      maxAttempts: ATTEMPTS_MAX,
      requestHandler: { connectionTimeout: CONNECT_MS_MAX, socketTimeout: SILENT_MS_MAX },
      ...(endpoint === null ? {} : { endpoint }),
      // Without keys the SDK looks where AWS tools look: environment, profile, instance role.
      ...(accessKey === null || secretKey === null
        ? {}
        : { credentials: { accessKeyId: accessKey, secretAccessKey: secretKey } }),
    });
  }

  async putFile(key: string, path: string, digest: ObjectDigest): Promise<void> {
    const { size } = await stat(path);
    if (size > PART_BYTES) {
      if (await this.#isThere(key, digest)) return;
      await this.#putParts(key, path, size, digest);
      return;
    }
    await this.#putSmall(key, await readPart(path, 0, size), digest);
  }

  async holds(key: string, sha256: string): Promise<boolean> {
    return (await this.#metadataOf(key))?.["sha256"] === sha256;
  }

  async *list(prefix: string): AsyncGenerator<ObjectEntry> {
    let token: string | undefined;
    do {
      const page = await this.#client.send(
        new ListObjectsV2Command({
          Bucket: this.#bucket,
          Prefix: this.#prefix + prefix,
          ...(token === undefined ? {} : { ContinuationToken: token }),
        }),
        limited(),
      );
      for (const { Key, Size } of page.Contents ?? []) {
        if (Key === undefined) continue;
        yield { key: Key.slice(this.#prefix.length), bytes: Size ?? 0 };
      }
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  async read(key: string): Promise<AsyncIterable<Uint8Array>> {
    const { Body } = await this.#client.send(new GetObjectCommand(this.#at(key)));
    if (Body === undefined) throw new Error(`${this.place}${key} has no body`);
    return Body as unknown as AsyncIterable<Uint8Array>;
  }

  close(): void {
    this.#client.destroy();
  }

  /**
   * Whether the object is there with this content. False if there is none, or one of the same rows
   * in other bytes, which may be replaced; throws ObjectConflictError on other rows.
   */
  async #isThere(key: string, digest: ObjectDigest): Promise<boolean> {
    const metadata = await this.#metadataOf(key);
    if (metadata === null) return false;
    if (metadata["sha256"] === digest.sha256) return true;
    if (metadata["rows-sha256"] === digest.rowsSha256) return false;
    throw new ObjectConflictError(`${this.place}${key} is there with other rows`);
  }

  /** What was stored beside the object; null if there is none. */
  async #metadataOf(key: string): Promise<Record<string, string> | null> {
    try {
      const found = await this.#client.send(new HeadObjectCommand(this.#at(key)), limited());
      return found.Metadata ?? {};
    } catch (error) {
      if (is(error, NO_SUCH)) return null;
      throw error;
    }
  }

  async #putSmall(key: string, body: Buffer, digest: ObjectDigest): Promise<void> {
    const conditions = this.#conditions;
    if (conditions?.isAsked() !== true) {
      await this.#putUnlessThere(key, body, digest);
      conditions?.noteUnconditional();
      return;
    }
    try {
      await this.#put(key, body, digest, true);
      conditions.noteTaken(this.place);
    } catch (error) {
      const isJudged = is(error, EXISTS);
      if (!isJudged && !is(error, UNCONDITIONAL)) throw error;
      if (isJudged) conditions.noteTaken(this.place);
      await this.#putUnlessThere(key, body, digest);
      if (!isJudged) conditions.noteRefused(this.place, String(error));
    }
  }

  async #putUnlessThere(key: string, body: Buffer, digest: ObjectDigest): Promise<void> {
    if (await this.#isThere(key, digest)) return;
    await this.#put(key, body, digest, false);
  }

  async #put(key: string, body: Buffer, digest: ObjectDigest, isNew: boolean): Promise<void> {
    await this.#client.send(
      new PutObjectCommand({
        ...this.#at(key),
        Body: body,
        Metadata: metadataOf(digest),
        ...(isNew ? { IfNoneMatch: "*" } : {}),
      }),
      limited(),
    );
  }

  async #putParts(key: string, path: string, size: number, digest: ObjectDigest): Promise<void> {
    await this.#abortLeftovers(key);
    const { UploadId } = await this.#client.send(
      new CreateMultipartUploadCommand({ ...this.#at(key), Metadata: metadataOf(digest) }),
      limited(),
    );
    const upload = { ...this.#at(key), UploadId };
    const parts: CompletedPart[] = [];
    for (let start = 0; start < size; start += PART_BYTES) {
      const PartNumber = parts.length + 1;
      const Body = await readPart(path, start, Math.min(size, start + PART_BYTES));
      const command = new UploadPartCommand({ ...upload, PartNumber, Body });
      const part = await this.#client.send(command, limited());
      const { ETag, ChecksumCRC32 } = part;
      parts.push({ PartNumber, ETag, ChecksumCRC32 });
    }
    const MultipartUpload = { Parts: parts };
    const command = new CompleteMultipartUploadCommand({ ...upload, MultipartUpload });
    await this.#client.send(command, limited());
  }

  async #abortLeftovers(key: string): Promise<void> {
    const { Uploads } = await this.#client.send(
      new ListMultipartUploadsCommand({ Bucket: this.#bucket, Prefix: this.#at(key).Key }),
      limited(),
    );
    for (const { Key, UploadId } of Uploads ?? []) {
      if (Key !== this.#at(key).Key) continue;
      await this.#client.send(
        new AbortMultipartUploadCommand({ Bucket: this.#bucket, Key, UploadId }),
        limited(),
      );
    }
  }

  #at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#bucket, Key: this.#prefix + key };
  }
}

function metadataOf({ sha256, rowsSha256 }: ObjectDigest): Record<string, string> {
  return { sha256, "rows-sha256": rowsSha256 };
}

function limited(): { abortSignal: AbortSignal } {
  return { abortSignal: AbortSignal.timeout(CALL_MS_MAX) };
}

async function readPart(path: string, start: number, end: number): Promise<Buffer> {
  const file = await open(path, "r");
  try {
    const bytes = Buffer.alloc(end - start);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, start);
    if (bytesRead !== bytes.length) throw new Error(`${path} became shorter`);
    return bytes;
  } finally {
    await file.close();
  }
}

/** Whether an error of the SDK is one of these, by status or name. */
function is(error: unknown, those: readonly (string | number)[]): boolean {
  const { name, $metadata } = error as { name?: string; $metadata?: { httpStatusCode?: number } };
  return those.includes(name ?? "") || those.includes($metadata?.httpStatusCode ?? 0);
}
