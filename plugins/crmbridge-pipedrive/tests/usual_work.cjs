// The usual work of a client of Pipedrive's, done with their own package. Prints one JSON object of what came back.
const [, , folder, url, token] = process.argv;
const load = (version) => require(require.resolve(`pipedrive/${version}`, { paths: [folder] }));
const v2 = load("v2");
const v1 = load("v1");
const second = new v2.Configuration({ apiKey: token, basePath: `${url}/api/v2` });
const first = new v1.Configuration({ apiKey: token, basePath: `${url}/api/v1` });

async function listed(call, field) {
  const found = [];
  let cursor;
  do {
    const page = await call(cursor);
    found.push(...page.data.map((row) => row[field]));
    cursor = page.additional_data && page.additional_data.next_cursor;
  } while (cursor);
  return found;
}

const refused = (promise) => promise.then(() => "no error", (body) => body);

async function deals() {
  const api = new v2.DealsApi(second);
  const ids = await listed((cursor) => api.getDeals({ limit: 5, cursor, status: "open,won,lost" }), "id");
  const made = (await api.addDeal({ AddDealRequest: { title: "By their client", value: 12.5, currency: "EUR", stage_id: 2 } })).data;
  const moved = (await api.updateDeal({ id: made.id, UpdateDealRequest: { stage_id: 3, status: "won" } })).data;
  const read = (await api.getDeal({ id: made.id, include_fields: "activities_count" })).data;
  const search = (await api.searchDeals({ term: "By their client", exact_match: true })).data.items.map((hit) => hit.item.id);
  const since = await listed((cursor) => api.getDeals({ limit: 100, cursor, updated_since: made.add_time }), "id");
  const wrong = await refused(api.updateDeal({ id: made.id, UpdateDealRequest: { value: "twelve" } }));
  const removed = (await api.deleteDeal({ id: made.id })).data;
  const missing = await refused(api.getDeal({ id: made.id }));
  return { ids, made, moved, read, search, since, wrong, removed, missing };
}

async function around(deal) {
  const api = new v2.ActivitiesApi(second);
  const task = (await api.addActivity({ AddActivityRequest: { subject: "Call", type: "task", deal_id: deal, due_date: "2026-06-12" } })).data;
  const done = (await api.updateActivity({ id: task.id, AddActivityRequest: { done: true } })).data;
  const open = await listed((cursor) => api.getActivities({ deal_id: deal, done: false, limit: 100, cursor }), "id");
  const notes = new v1.NotesApi(first);
  const note = (await notes.addNote({ AddNoteRequest: { content: "Hello<br>there", deal_id: deal } })).data;
  const kept = (await notes.getNotes({ deal_id: deal, start: 0, limit: 10 })).data.map((row) => row.content);
  const log = (await new v1.DealsApi(first).getDealUpdates({ id: deal, items: "dealChange" })).data;
  return { task, done, open, note, kept, log: log.map((row) => row.object) };
}

async function setup() {
  const api = new v2.DealFieldsApi(second);
  const wish = { field_name: "By client", field_type: "enum", options: [{ label: "A" }, { label: "B" }] };
  const made = (await api.addDealField({ AddDealFieldRequest: wish })).data;
  const required = { enabled: true, stage_ids: [3], statuses: { 1: ["won"] } };
  await api.updateDealField({ field_code: made.field_code, UpdateDealFieldRequest: { required_fields: required } });
  const named = await listed((cursor) => api.getDealFields({ limit: 20, cursor }), "field_name");
  const read = (await api.getDealField({ field_code: made.field_code, include_fields: "required_fields" })).data;
  const stages = (await new v2.StagesApi(second).getStages({ pipeline_id: 1 })).data.map((row) => row.id);
  const me = (await new v1.UsersApi(first).getCurrentUser()).data;
  return { made, named, read, stages, me };
}

async function main() {
  const bad = new v2.DealsApi(new v2.Configuration({ apiKey: "wrong", basePath: `${url}/api/v2` }));
  const first_deal = (await new v2.DealsApi(second).getDeals({ limit: 1 })).data[0].id;
  return { deals: await deals(), around: await around(first_deal), setup: await setup(), unauthorized: await refused(bad.getDeals({})) };
}

main().then((found) => process.stdout.write(JSON.stringify(found)), (error) => {
  process.stderr.write(String(error && error.stack ? error.stack : JSON.stringify(error)));
  process.exit(1);
});
