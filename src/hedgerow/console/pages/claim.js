// Asks for a temporary claim and shows it: QR code, file, and the time left. The claim is in this page alone; when its
// time is over, or when it is put away, nothing of it is left here. One that is cancelled is good for nothing any more.
export default {
  template: `
    <div>
      <p v-if="insecure" class="note bad" role="alert">This page came over plain HTTP: whoever listens on the network reads
        the claim's key. Open the console by HTTPS, or on the cloud's own machine.</p>
      <form class="form" @submit.prevent="make">
        <label v-if="names.length" class="field"><span>Provisioning template</span>
          <select v-model="template" required>
            <option v-for="one in names" :key="one.name" :value="one.name" :disabled="!one.enabled">
              {{ one.name }}{{ one.enabled ? "" : " (not enabled)" }}</option>
          </select>
        </label>
        <label v-else class="field"><span>Provisioning template</span>
          <input v-model.trim="template" required maxlength="36" pattern="[0-9A-Za-z_\\-]+" autocapitalize="off"
            autocomplete="off" spellcheck="false">
        </label>
        <button class="act" type="submit" :disabled="busy">{{ busy ? "Making a claim …" : "Make a claim" }}</button>
      </form>
      <p class="note bad" role="alert" v-show="trouble">{{ trouble }}</p>
      <section v-if="claim" class="claim" aria-label="Claim">
        <h2>Claim for {{ claim.template }}</h2>
        <p role="timer" :class="['left', { soon: left < 60 }]">{{ clock }} left</p>
        <p v-if="claim.note" class="note">{{ claim.note }}</p>
        <svg v-if="claim.code" class="code" role="img" aria-label="QR code with the claim"
          :viewBox="'0 0 ' + claim.code.size + ' ' + claim.code.size" shape-rendering="crispEdges">
          <rect width="100%" height="100%" fill="#fff"></rect><path :d="claim.code.path" fill="#000"></path>
        </svg>
        <p class="sub">Hold it before the device's camera, or bring it the file. It holds a private key: whoever has it
          can let devices in until its time is over.</p>
        <div class="buttons">
          <a class="act" :href="address" :download="claim.fileName">Download the file</a>
          <button class="act quiet" type="button" @click="end('The claim was put away. It is good until its time is over.')">
            Put away</button>
          <button class="act quiet" type="button" :disabled="busy" @click="cancel">Cancel the claim</button>
        </div>
      </section>
      <p class="note" role="status" ref="over" tabindex="-1" v-show="over">{{ over }}</p>
    </div>
  `,
  props: { names: { type: Array, default: () => [] } },
  data: () => ({
    template: "",
    claim: null,
    address: "",
    until: 0,
    left: 0,
    busy: false,
    trouble: "",
    over: "",
    insecure: !window.isSecureContext,
  }),
  computed: {
    clock() {
      return Math.floor(this.left / 60) + ":" + String(this.left % 60).padStart(2, "0");
    },
  },
  created() {
    this.template = (this.names.find((one) => one.enabled) || { name: "" }).name;
    this.away = () => this.end("");
    window.addEventListener("pagehide", this.away);
    this.ticking = setInterval(() => this.tick(), 250);
  },
  unmounted() {
    clearInterval(this.ticking);
    window.removeEventListener("pagehide", this.away);
    this.end("");
  },
  methods: {
    async make() {
      this.end("");
      const begun = performance.now();
      const told = await this.ask("/onboarding/claim", { template: this.template });
      if (told) this.show(told, begun + told.seconds * 1000);
    },
    async cancel() {
      const told = await this.ask("/onboarding/cancel", { certificateId: this.claim.certificateId });
      if (told) this.end(told.message);
    },
    async ask(path, question) {
      this.busy = true;
      this.trouble = "";
      try {
        const answer = await fetch(path, { method: "POST", body: JSON.stringify(question), cache: "no-store" });
        if (!(answer.headers.get("content-type") || "").startsWith("application/json")) {
          window.location.reload(); // a page that says how to sign in
          return null;
        }
        const told = await answer.json();
        if (answer.ok) return told;
        this.trouble = told.message;
      } catch {
        this.trouble = "The console does not answer. Is this device still on its network?";
      } finally {
        this.busy = false;
      }
      return null;
    },
    show(claim, until) {
      this.address = URL.createObjectURL(new Blob([claim.file], { type: "application/json" }));
      delete claim.file;
      this.until = until;
      this.claim = claim;
      this.tick();
    },
    tick() {
      if (!this.claim) return;
      this.left = Math.max(0, Math.floor((this.until - performance.now()) / 1000));
      if (!this.left) this.end("The claim is over. Make another one if a device still needs it.");
    },
    end(words) {
      if (this.address) URL.revokeObjectURL(this.address);
      this.address = "";
      this.over = words;
      if (!this.claim) return;
      this.claim = null;
      if (words) this.$nextTick(() => this.$refs.over && this.$refs.over.focus());
    },
  },
};
