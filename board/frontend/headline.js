// What is chosen, in one look: priority, name, state, since when; or, when nothing is chosen, what is most urgent, or how the plant stands.

export default function (component) {
  const { data, parentElement } = component
  const text = JSON.stringify(data)
  if (parentElement.shown !== text) {
    parentElement.shown = text
    parentElement.querySelector(".root")?.remove()
    parentElement.append(data.chosen ? headline(data) : calm(data))
  }
  return countdown(parentElement, parentElement)
}

function headline(data) {
  return h("section", { class: "root headline", "aria-label": "Chosen" },
    data.mark ? glyph(data.mark, data.state) : symbol(data.priority, data.state),
    h("div", { class: "text" },
      h("div", { class: "kicker" }, data.mark ? h("span", { class: "kind" }, data.kind)
        : h("span", { class: data.state === "over" ? "p-over" : `p-${data.priority}` }, word(data.priority)),
      h("span", { class: "muted" }, data.kicker)),
      h("h1", {}, data.title),
      h("div", { class: "muted" }, data.words, " · since ", timeElement(data.since),
        ...(data.until ? [" until ", timeElement(data.until)] : []))),
    data.due ? h("div", { class: "badge due" }, leftElement(data.due)) : "",
    data.badge ? h("div", { class: `badge ${data.state}` }, data.badge) : "")
}

function calm(data) {
  if (!data.priority) return h("section", { class: "root calm" },
    h("div", { class: "ring", "aria-hidden": "true" }, data.mark),
    h("h1", {}, data.title), h("p", {}, data.text))
  return h("section", { class: "root calm foremost", "aria-label": "First of all" },
    symbol(data.priority, data.state),
    h("div", { class: "kicker" }, h("span", { class: `p-${data.priority}` }, word(data.priority)), h("span", { class: "muted" }, data.kicker)),
    h("h1", {}, data.title),
    h("p", {}, data.words, " · since ", timeElement(data.since)), h("p", { class: "others" }, data.text))
}
