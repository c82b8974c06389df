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

async function hanging() {
  const api = new v2.DealsApi(second);
  const companies = new v2.OrganizationsApi(second);
  const people = new v2.PersonsApi(second);
  const old = new v1.DealsApi(first);
  const company = (await companies.addOrganization({ AddOrganizationRequest: { name: "Acme", website: "acme.example" } })).data;
  const person = async (name) => (await people.addPerson({ AddPersonRequest: { name, org_id: company.id, emails: [{ value: `${name}@acme.example`, primary: true }] } })).data;
  const [main, other] = [await person("ann"), await person("bob")];
  const deal = (await api.addDeal({ AddDealRequest: { title: "Hanging", org_id: company.id, person_id: main.id } })).data;
  await old.addDealParticipant({ id: deal.id, AddDealParticipantRequest: { person_id: other.id } });
  const both = (await old.getDealParticipants({ id: deal.id })).data;
  const kept = await refused(old.deleteDealParticipant({ id: deal.id, deal_participant_id: both[0].id }));
  await old.deleteDealParticipant({ id: deal.id, deal_participant_id: both[1].id });
  const left = (await old.getDealParticipants({ id: deal.id })).data;
  const archived = (await api.updateDeal({ id: deal.id, UpdateDealRequest: { is_archived: true } })).data;
  const archive = await listed((cursor) => api.getArchivedDeals({ limit: 100, cursor }), "id");
  const note = (await new v1.NotesApi(first).addNote({ AddNoteRequest: { content: "x", org_id: company.id } })).data;
  const unwritten = (await new v1.NotesApi(first).deleteNote({ id: note.id })).data;
  const removed = (await people.deletePerson({ id: other.id })).data;
  const closed = (await companies.deleteOrganization({ id: company.id })).data;
  return { company, main, other, both: both.map((row) => row.person_id.value), kept, left: left.map((row) => row.person_id.value), archived, archive, unwritten, removed, closed };
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
  return { deals: await deals(), around: await around(first_deal), hanging: await hanging(), setup: await setup(), unauthorized: await refused(bad.getDeals({})) };
}

main().then((found) => process.stdout.write(JSON.stringify(found)), (error) => {
  process.stderr.write(String(error && error.stack ? error.stack : JSON.stringify(error)));
  process.exit(1);
});
