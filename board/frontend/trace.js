// Why a run began, each attempt at its steps, whom it told; or all about a question. A line that names something else
// chooses it.

export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  const root = parentElement.root || (parentElement.root = parentElement.appendChild(h("div", { class: "root" })))
  root.send = setTriggerValue
  const text = JSON.stringify(data)
  if (root.shown !== text) { // rebuilt only when it changed: what somebody is marking stays marked
    root.shown = text
    root.replaceChildren(...[
      part(data.title, (data.facts || []).map((item) => fact(root, item))),
      data.steps ? part("Steps", data.steps.length ? [h("ol", { class: "steps" }, ...data.steps.map((item) => step(item, true)))]
        : [h("p", { class: "muted" }, "No step has begun.")]) : "",
      part("Told", (data.told || []).map((item) => fact(root, item))),
    ].filter(Boolean))
  }
  return countdown(root, root)
}

function part(title, children) {
  return children.length ? h("section", { class: "panel", "aria-label": title }, h("h2", {}, title), ...children) : ""
}

function fact(root, item) {
  const inside = [h("span", { class: "label" }, item.label),
    item.link ? h("a", { href: item.link, target: "_blank", rel: "noreferrer" }, item.text) : h("span", { class: "grow" }, item.text),
    item.at ? timeElement(item.at) : ""]
  if (!item.id) return h("div", { class: `fact ${item.tone || ""}` }, ...inside)
  const button = h("button", { type: "button", class: "fact" }, ...inside)
  button.addEventListener("click", () => root.send("chosen", item.id))
  return button
}
