// The alarms, the playbook's steps with their commands, and the timeline of the chosen incident. Read only, but for the
// alarms: choosing one of them sends its id; and it says which are drawn: only these may be acknowledged.

export default function (component) {
  const { data, parentElement, setStateValue, setTriggerValue } = component
  const root = parentElement.root || (parentElement.root = build(parentElement))
  root.send = setTriggerValue
  section(root.alarms, "Alarms", data.alarms, (items) => items.map((item) => alarm(root, item)))
  section(root.runs, "Playbook", data.runs, (items) => items.length ? items.map((item) => run(root, item))
    : [h("p", { class: "muted none" }, data.no_runs)])
  section(root.timeline, "Timeline", data.timeline, (items) => [h("ol", {}, ...items.map(entry))])
  const drawn = data.alarms.map((item) => item.id)
  if (String(root.drawn) !== String(drawn)) {
    root.drawn = drawn
    setStateValue("shown", drawn)
  }
  return countdown(root, root.runs)
}

function build(parent) {
  const make = (name) => h("section", { class: `panel ${name}` })
  const root = { alarms: make("alarms"), runs: make("runs"), timeline: make("timeline") }
  parent.append(h("div", { class: "root" },
    h("div", { class: "columns" }, h("div", { class: "side" }, root.alarms, root.runs), root.timeline)))
  return root
}

// Rebuilt only when its content changed: text that somebody is marking stays marked.
function section(element, title, items, render) {
  const text = JSON.stringify(items)
  if (element.shown === text) return
  element.shown = text
  element.setAttribute("aria-label", title)
  element.replaceChildren(h("h2", {}, title), ...render(items))
}

function alarm(root, item) {
  const button = h("button", { type: "button", class: `alarm ${item.state}`, "aria-pressed": String(item.chosen), "aria-label": item.label },
    symbol(item.priority, item.state),
    h("span", { class: "grow" }, h("span", { class: "title" }, item.title), h("span", { class: "muted" }, item.detail),
      item.marks ? h("span", { class: "marks" }, item.marks) : ""),
    h("span", { class: "end" }, timeElement(item.at), h("span", { class: "muted" }, item.words)))
  button.addEventListener("click", () => root.send("chosen", item.id))
  return button
}

function run(root, item) {
  const head = h("button", { type: "button", class: "run-head", "aria-label": `Run ${item.title}, ${item.words}` },
    h("span", { class: "title" }, item.title), h("span", { class: `outcome ${item.tone}` }, item.words))
  head.addEventListener("click", () => root.send("chosen", item.id))
  return h("div", { class: "run" }, head,
    h("div", { class: "muted small" }, item.author),
    ...item.notes.map((note) => h("div", { class: `note ${note.tone || ""}` }, h("b", {}, note.label), ` ${note.text}`)),
    h("ol", { class: "steps" }, ...item.steps.map((one) => step(one))))
}

function entry(item) {
  return h("li", { class: `entry ${item.tone}` },
    timeElement(item.at, true),
    h("span", { class: "grow" }, h("span", {}, item.text), item.detail ? h("span", { class: "muted block small" }, item.detail) : ""),
    h("span", { class: "muted who", title: item.who }, item.who))
}
