// Runs that go on and runs that went. Choosing one sends its id.

export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  const root = parentElement.root || (parentElement.root = parentElement.appendChild(h("div", { class: "root" })))
  root.send = setTriggerValue
  const text = JSON.stringify(data)
  if (root.shown !== text) {
    root.shown = text
    root.replaceChildren(...data.sections.map((section) => part(root, section)))
  }
  return countdown(root, root)
}

function part(root, section) {
  return h("section", { class: "panel", "aria-label": section.title }, h("h2", {}, section.title),
    ...section.runs.map((item) => line(root, item)), section.runs.length ? "" : h("p", { class: "muted none" }, section.empty))
}

function line(root, item) {
  const button = h("button", { type: "button", class: `line ${item.tone}` },
    h("span", { class: "mark", "aria-hidden": "true" }, { done: "✓", failed: "✕", waiting: "▶", skipped: "–" }[item.tone]),
    h("span", { class: "grow" }, h("span", { class: "title" }, item.number ? h("b", {}, item.number) : "", item.title),
      h("span", { class: "muted" }, item.detail)),
    h("span", { class: "end" }, item.due ? leftElement(item.due) : timeElement(item.at), h("span", { class: "muted" }, item.words)))
  button.addEventListener("click", () => root.send("chosen", item.id))
  return button
}
