// What the next shift must know, section by section. A line that stands for something chooses it.

export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  const root = parentElement.root || (parentElement.root = build(parentElement))
  root.send = setTriggerValue
  const text = JSON.stringify(data)
  if (root.shown === text) return // rebuilt only when it changed: what somebody is marking stays marked
  root.shown = text
  root.now.replaceChildren(...data.sections.map((section) => part(root, section)))
  root.before.replaceChildren(h("h2", {}, "Handed over before"), ...(data.handed.length ? data.handed.map(told)
    : [h("p", { class: "muted none" }, "No position has changed hands yet.")]))
}

function build(parent) {
  const root = { now: h("div", { class: "now" }), before: h("section", { class: "panel", "aria-label": "Handed over before" }) }
  parent.append(h("div", { class: "root" }, root.now, root.before))
  return root
}

function part(root, section) {
  const count = section.count ? h("span", { class: "count" }, String(section.count)) : ""
  const more = section.count - section.rows.length
  return h("section", { class: "panel", "aria-label": section.title }, h("h2", {}, section.title, count),
    ...section.rows.map((row) => line(root, row)),
    section.rows.length ? "" : h("p", { class: "muted none" }, section.empty),
    section.rows.length && more > 0 ? h("p", { class: "muted none" }, `${more} more, see the lists`) : "")
}

function line(root, row) {
  const end = row.until ? [h("span", { class: "muted" }, "until "), timeElement(row.until)] : [timeElement(row.at)]
  const button = h("button", { type: "button", class: `entry ${row.state}`, disabled: !row.id },
    symbol(row.priority, row.state),
    h("span", { class: "grow" }, h("span", { class: "title" }, row.number ? h("b", {}, row.number) : "", row.title),
      h("span", { class: "muted" }, row.detail)),
    h("span", { class: "end" }, h("span", {}, ...end), h("span", { class: "muted" }, row.tag || row.words)))
  button.addEventListener("click", () => root.send("chosen", row.id))
  return button
}

function told(item) {
  return h("div", { class: "told" }, timeElement(item.at),
    h("span", { class: "grow" }, h("span", { class: "title" }, item.who, h("span", { class: "muted" }, ` · ${item.where} · ${item.by}`)),
      h("span", { class: "muted" }, item.said), item.note ? h("q", {}, item.note) : ""))
}
