// The devices at the vending machine, those that wait first, and what is decided about them. Rows are patched in place, so that what
// somebody writes into one stays while others come and go. A list's tokens go by POST, not through NiceGUI.
export default {
  template: `
    <div>
      <div class="form">
        <label v-if="names.length" class="field"><span>Template for those that are let in</span>
          <select v-model="template">
            <option v-for="one in names" :key="one.name" :value="one.name" :disabled="!one.enabled">
              {{ one.name }}{{ one.enabled ? "" : " (not enabled)" }}</option>
          </select>
        </label>
        <label v-else class="field"><span>Template for those that are let in</span>
          <input v-model.trim="template" maxlength="36" autocapitalize="off" autocomplete="off" spellcheck="false">
        </label>
        <label class="field"><span>Its further parameters, NAME=VALUE, one to a line</span>
          <textarea v-model="parameters" rows="1" maxlength="4000" autocapitalize="off" autocomplete="off"
            spellcheck="false"></textarea>
        </label>
      </div>
      <div class="form">
        <label class="field"><span>Devices</span>
          <select v-model="state" @change="$emit('state', state)">
            <option v-for="(word, name) in states" :key="name" :value="name">{{ word }}</option>
          </select>
        </label>
      </div>
      <div class="panel">
        <table :aria-label="states[state]">
          <thead><tr><th scope="col">Serial number</th><th scope="col">Asked</th><th scope="col">From</th>
            <th scope="col">Thing's name</th><th scope="col">Decision</th></tr></thead>
          <tbody>
            <tr v-if="!rows.length" class="nothing"><td colspan="5">{{ nothing }}</td></tr>
            <tr v-for="row in rows" :key="row.serial">
              <td><span class="label" aria-hidden="true">Serial number</span>
                <div class="cell"><code>{{ row.serial }}</code>
                  <span v-if="row.decided" class="sub">{{ row.note }}, {{ time(row.decided) }}</span></div></td>
              <td><span class="label" aria-hidden="true">Asked</span><div class="cell">{{ time(row.asked) }}</div></td>
              <td><span class="label" aria-hidden="true">From</span><div class="cell">{{ row.address }}</div></td>
              <td><span class="label" aria-hidden="true">Thing's name</span>
                <div class="cell"><input class="small" v-model.trim="things[row.serial]" :placeholder="row.serial"
                  :aria-label="'Thing name for ' + row.serial" maxlength="128" autocapitalize="off" autocomplete="off"
                  spellcheck="false" @keydown.enter="decide(row, true)"></div></td>
              <td class="whole"><div class="cell buttons">
                <button class="act" type="button" :aria-label="row.approve + ' ' + row.serial"
                  :disabled="asked[row.serial] || !template" @click="decide(row, true)">{{ row.approve }}</button>
                <button v-if="row.deny" class="act quiet" type="button" :aria-label="'Deny ' + row.serial"
                  :disabled="asked[row.serial]" @click="decide(row, false)">Deny</button>
              </div></td>
            </tr>
          </tbody>
        </table>
      </div>
      <p :class="['note', { bad: !done.good }]" role="status" v-show="done.words">{{ done.words }}</p>
      <h2>Approve before they ask</h2>
      <p class="sub">A CSV whose first line names its columns: serial, token, and parameters of the template.</p>
      <form class="form" @submit.prevent="bring">
        <label class="field"><span>CSV file</span>
          <input ref="file" type="file" accept=".csv,text/csv" required @change="imported = { words: '', good: true }">
        </label>
        <button class="act" type="submit" :disabled="busy || !template">{{ busy ? "Importing …" : "Import" }}</button>
      </form>
      <p :class="['note', { bad: !imported.good }]" role="status" v-show="imported.words">{{ imported.words }}</p>
    </div>
  `,
  props: {
    names: { type: Array, default: () => [] },
    rows: { type: Array, default: () => [] },
    done: { type: Object, default: () => ({ words: "", good: true, count: 0 }) },
    nothing: String,
    states: Object,
  },
  data: () => ({ state: "PENDING", template: "", parameters: "", things: {}, asked: {}, busy: false, imported: { words: "", good: true } }),
  created() {
    this.template = (this.names.find((one) => one.enabled) || { name: "" }).name;
  },
  watch: {
    done() {
      this.asked = {};
    },
    rows(rows) {
      const there = new Set(rows.map((row) => row.serial));
      for (const serial of Object.keys(this.things)) if (!there.has(serial)) delete this.things[serial];
    },
  },
  methods: {
    decide(row, approve) {
      if (this.asked[row.serial] || (approve && !this.template)) return;
      this.asked[row.serial] = true;
      setTimeout(() => delete this.asked[row.serial], 30000); // nobody answered
      const thing = this.things[row.serial] || "";
      this.$emit("decide", { serial: row.serial, approve, template: this.template, thing, parameters: this.parameters });
    },
    async bring() {
      const file = this.$refs.file.files[0];
      if (!file) return;
      this.busy = true;
      try {
        const body = JSON.stringify({ template: this.template, text: await file.text() });
        const answer = await fetch("/onboarding/import", { method: "POST", body, cache: "no-store" });
        if (!(answer.headers.get("content-type") || "").startsWith("application/json")) {
          window.location.reload(); // a page that says how to sign in
          return;
        }
        const told = await answer.json();
        this.imported = { words: told.message, good: answer.ok && told.whole };
        if (answer.ok) this.$refs.file.value = "";
      } catch {
        this.imported = { words: "The console does not answer.", good: false };
      } finally {
        this.busy = false;
      }
    },
    time(seconds) {
      return seconds ? new Date(seconds * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }) : "–";
    },
  },
};
