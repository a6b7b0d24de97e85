/**
 * Everything around the gateway's process, made from one seed: time, chance, disk, network,
 * operators, and the witnesses and judges that watch them.
 */
import type { GatewayConfig } from "../../src/config/types.ts";
import { SimulatedClock } from "./clock.ts";
import { drawSettings, portOf, type RunSettings } from "./configuration.ts";
import { Effects } from "./effects.ts";
import { FaultCounts } from "./fault-rows.ts";
import { type LinkLimits, LiveJudge } from "./live-judge.ts";
import { type AmbiguousRule, LogModel } from "./log-model.ts";
import { LogObserver } from "./log-observer.ts";
import { SeededRandom } from "./random.ts";
import { Scheduler } from "./scheduler.ts";
import { SimulatedCdr } from "./simulated-cdr.ts";
import { SimulatedDisk } from "./simulated-directory.ts";
import { SimulatedNetwork } from "./simulated-network.ts";
import { type IdForm, SimulatedSmsc } from "./simulated-smsc.ts";

export class World {
  readonly random: SeededRandom;
  readonly settings: RunSettings;
  readonly clock = new SimulatedClock();
  readonly effects: Effects;
  readonly faultCounts = new FaultCounts();
  readonly scheduler: Scheduler;
  readonly disk: SimulatedDisk;
  readonly network: SimulatedNetwork;
  readonly smscs: SimulatedSmsc[];
  readonly model: LogModel;
  readonly observer: LogObserver;
  readonly judge: LiveJudge;
  readonly ambiguousRule: AmbiguousRule;
  readonly cdr: SimulatedCdr;
  readonly #limits = new Map<number, LinkLimits>();
  readonly nowMs = (): number => this.clock.monotonicMs();

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
    this.settings = drawSettings(this.random.fork("settings"));
    const { config, idForms } = this.settings;
    this.effects = new Effects(this.nowMs);
    this.scheduler = new Scheduler(this.clock, this.random.fork("scheduler"), this.effects);
    this.disk = new SimulatedDisk(this.random.fork("disk"));
    this.network = new SimulatedNetwork(
      this.scheduler,
      this.random.fork("network"),
      this.effects,
      this.nowMs,
    );
    this.smscs = config.links.map(
      ({ id }) =>
        new SimulatedSmsc(
          id,
          idForms.get(id) as IdForm,
          this.scheduler,
          this.random.fork(`smsc ${id}`),
          this.nowMs,
        ),
    );
    const rules = new Map(config.links.map((link) => [link.id, link.ambiguous]));
    this.ambiguousRule = (linkId) => rules.get(linkId) ?? "by_class";
    this.model = new LogModel(this.ambiguousRule);
    const isDurable = config.journal.durability === "disk";
    this.observer = new LogObserver(this.disk, isDurable, this.model);
    this.judge = this.#makeJudge();
    this.cdr = new SimulatedCdr(config.node.name, this.effects, (what) => this.judge.violate(what));
    for (const smsc of this.smscs) this.network.listen(portOf(smsc.link), smsc);
  }

  /** Mode disk: promises hold over a power loss. */
  get survivesPowerLoss(): boolean {
    return this.settings.config.journal.durability === "disk";
  }

  /** Allows what either the present limits or those of `config` allow. */
  widenLimits({ links }: GatewayConfig): void {
    for (const { id, rateTps, windowMax, responseTimeoutMs } of links) {
      const before = this.#limits.get(portOf(id));
      const rates = [before === undefined ? rateTps : before.rateTps, rateTps];
      this.#limits.set(portOf(id), {
        linkId: id,
        rateTps: rates.includes(null) ? null : Math.max(...(rates as number[])),
        windowMax: Math.max(before?.windowMax ?? 0, windowMax),
        responseTimeoutMs,
      });
    }
  }

  /** Allows no more than the rates of `config`. */
  narrowLimits({ links }: GatewayConfig): void {
    for (const { id, rateTps } of links) {
      const limits = this.#limits.get(portOf(id)) as LinkLimits;
      this.#limits.set(portOf(id), { ...limits, rateTps });
    }
  }

  #makeJudge(): LiveJudge {
    this.widenLimits(this.settings.config);
    const judge = new LiveJudge({
      model: this.model,
      nowMs: this.nowMs,
      onWrap: () => this.faultCounts.add("F17 sequence_number wraps"),
      limitsOf: (port) => this.#limits.get(port) as LinkLimits,
      receiptOf: (port, connection, sequence) => {
        const smsc = this.smscs.find((one) => portOf(one.link) === port);
        return smsc?.receiptOf(connection, sequence) ?? null;
      },
    });
    this.network.onGatewayWrite = (connection, port, bytes) => {
      judge.onGatewayWrite(connection, port, bytes);
    };
    this.network.onViolation = (what) => judge.violate(what);
    for (const smsc of this.smscs) {
      smsc.onAnswerSent = (connection, sequence) => judge.onAnswerSent(connection, sequence);
    }
    return judge;
  }
}
