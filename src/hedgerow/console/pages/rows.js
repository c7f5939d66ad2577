// A table whose cells Vue patches in place: focus and selection stay while values change. Given plain rows; says what
// part of them it wants to see ("look"). NiceGUI's own table builds its rows anew at every change when they are drawn.
const DAY_HALF_MS = 43200000;

export default {
  template: `
    <div class="panel">
      <table :aria-label="label">
        <thead>
          <tr>
            <th v-for="column in columns" :key="column.name" scope="col" :aria-sort="sorted(column)">
              <button v-if="column.sortable" type="button" @click="sort(column)">
                {{ column.label }}<span aria-hidden="true" class="arrow">{{ arrow(column) }}</span>
              </button>
              <template v-else>{{ column.label }}</template>
            </th>
          </tr>
        </thead>
        <tbody>
          <tr v-if="!rows.length" class="nothing"><td :colspan="columns.length">{{ nothing }}</td></tr>
          <tr v-for="row in rows" :key="row[identity]">
            <td v-for="column in columns" :key="column.name" :class="{ empty: empty(row[column.name]) }">
              <span class="label" aria-hidden="true">{{ column.label }}</span>
              <div class="cell">
                <template v-if="column.kind === 'device'">
                  <a class="name" :href="device(row.name)">{{ row.name }}</a>
                  <span v-if="row.type" class="sub">{{ row.type }}</span>
                </template>
                <template v-else-if="column.kind === 'connection'">
                  <span :class="['state', row.state.tone]">{{ row.state.word }}</span>
                  <span v-if="row.changed" class="sub">since {{ time(row.changed) }}</span>
                </template>
                <template v-else-if="column.kind === 'readings'">
                  <span v-for="one in row.readings" :key="one.label" :class="{ reading: true, old: one.old }">
                    <span class="sub">{{ one.label }}</span> <b>{{ one.shown }}</b>
                    <span v-if="one.old" class="sub">at {{ time(one.at) }}</span>
                  </span>
                  <span v-if="row.more.readings" class="sub">and {{ row.more.readings }} more</span>
                </template>
                <template v-else-if="column.kind === 'components'">
                  <span v-for="one in row.components" :key="one.name" class="line">
                    <span :class="['dot', one.tone]" :title="one.state" role="img" :aria-label="one.state"></span>
                    {{ one.name }} <b>{{ one.version }}</b>
                  </span>
                  <span v-if="row.more.components" class="sub">and {{ row.more.components }} more</span>
                </template>
                <span v-else-if="column.kind === 'state'" :class="['state', row[column.name].tone]">{{
                  row[column.name].word
                }}</span>
                <a v-else-if="column.kind === 'thing'" :href="device(row[column.name])">{{ row[column.name] }}</a>
                <template v-else-if="column.kind === 'time'">{{ time(row[column.name]) }}</template>
                <span v-else-if="column.kind === 'count'" :class="['count', row[column.name] ? 'bad' : 'zero']">{{
                  row[column.name]
                }}</span>
                <template v-else-if="column.kind === 'chips'">
                  <span v-for="one in row[column.name]" :key="one" class="chip">{{ one }}</span>
                </template>
                <code v-else-if="column.kind === 'code'">{{ row[column.name] }}</code>
                <template v-else>{{ row[column.name] }}</template>
              </div>
            </td>
          </tr>
        </tbody>
      </table>
      <nav v-if="look && look.count > sizes[0]" class="turn" aria-label="Pages of the table">
        <label>Rows <select :value="look.size" @change="ask({ size: Number($event.target.value), page: 1 })">
          <option v-for="size in sizes" :key="size" :value="size">{{ size }}</option>
        </select></label>
        <span>{{ first }}–{{ last }} of {{ look.count }}</span>
        <button type="button" :disabled="look.page <= 1" @click="ask({ page: look.page - 1 })">Previous</button>
        <button type="button" :disabled="last >= look.count" @click="ask({ page: look.page + 1 })">Next</button>
      </nav>
    </div>
  `,
  props: {
    rows: { type: Array, default: () => [] },
    columns: { type: Array, default: () => [] },
    identity: String,
    label: String,
    nothing: String,
    look: Object,
  },
  data: () => ({ sizes: [25, 50, 100] }),
  computed: {
    first() {
      return this.look.count ? (this.look.page - 1) * this.look.size + 1 : 0;
    },
    last() {
      return Math.min(this.look.page * this.look.size, this.look.count);
    },
  },
  methods: {
    ask(change) {
      this.$emit("look", { ...this.look, ...change });
    },
    sort(column) {
      const again = this.look.order === column.name;
      this.ask({ order: column.name, descending: again ? !this.look.descending : Boolean(column.descending), page: 1 });
    },
    sorted(column) {
      if (!column.sortable) return undefined;
      if (this.look.order !== column.name) return "none";
      return this.look.descending ? "descending" : "ascending";
    },
    arrow(column) {
      if (this.look.order !== column.name) return "";
      return this.look.descending ? " ↓" : " ↑";
    },
    device(name) {
      return "/device/" + encodeURIComponent(name);
    },
    empty(value) {
      return value === "" || value === null || (Array.isArray(value) && !value.length);
    },
    time(seconds) {
      if (!seconds) return "–";
      const at = new Date(seconds * 1000);
      const near = Math.abs(Date.now() - at) < DAY_HALF_MS;
      return at.toLocaleString([], near ? { timeStyle: "medium" } : { dateStyle: "medium", timeStyle: "short" });
    },
  },
};
