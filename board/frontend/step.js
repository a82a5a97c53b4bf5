// One attempt at a step of a playbook: what it was to do, how it went, what it gave. For the story and for the trace.

const MARKS = { done: "✓", failed: "✕", waiting: "…", skipped: "–" }

function step(item, precise) {
  const kind = item.kind ? h("span", { class: "tag" }, item.kind) : ""
  const due = item.due ? leftElement(item.due) : ""
  return h("li", { class: `step ${item.tone}` },
    h("span", { class: "mark", "aria-hidden": "true" }, MARKS[item.tone]),
    h("span", { class: "grow" }, h("span", {}, kind, item.title),
      h("span", { class: "muted small block" }, precise && item.title !== item.step ? h("code", {}, item.step) : "", item.words),
      precise && item.input ? h("span", { class: "muted small block" }, item.input) : "",
      precise && item.gives ? h("span", { class: "muted small block" }, `gave ${item.gives}`) : ""),
    h("span", { class: "when" }, timeElement(item.at, precise), due, precise && item.took ? h("span", { class: "muted" }, item.took) : ""))
}
