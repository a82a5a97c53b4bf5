// A list as role=grid. Rows are patched by id, never rebuilt: a new row on top moves no selection, focus or scroll.
// What is chosen leaves as an id, never as a row number.

export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  const grid = parentElement.grid || (parentElement.grid = build(parentElement))
  grid.send = setTriggerValue
  if (grid.pending && (data.chosen === grid.pending || Date.now() - grid.pendingSince > 3000)) grid.pending = null
  patch(grid, data)
  return countdown(grid, grid.root)
}

function build(parent) {
  const body = h("div", { role: "rowgroup", class: "rows" })
  const title = h("h2", {})
  const count = h("span", { class: "count" })
  const empty = h("p", { class: "empty" })
  const more = h("p", { class: "more" })
  const table = h("div", { role: "grid", class: "grid" }, body)
  const root = h("section", { class: "root" }, h("header", {}, title, count), h("div", { class: "scroll" }, table, empty, more))
  parent.append(root)
  const grid = { root, title, count, body, empty, more, table, rows: new Map(), hovered: null, shifted: 0 }
  body.addEventListener("pointermove", (event) => { grid.hovered = idAt(event) })
  body.addEventListener("pointerleave", () => { grid.hovered = null })
  body.addEventListener("click", (event) => {
    // A row that slid under a resting pointer in the last half second is not the one that was meant.
    const moved = performance.now() - grid.shifted < 500
    choose(grid, (moved && grid.hovered) || idAt(event))
  })
  body.addEventListener("keydown", (event) => key(grid, event))
  return grid
}

const idAt = (event) => event.target.closest("[role=row]")?.dataset.id || null

function choose(grid, id) {
  if (!id) return
  grid.pending = id
  grid.pendingSince = Date.now()
  mark(grid, id)
  grid.send("chosen", id)
}

function key(grid, event) {
  const row = event.target.closest("[role=row]")
  if (!row) return
  const to = { ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling,
    Home: grid.body.firstElementChild, End: grid.body.lastElementChild }
  if (event.key in to) to[event.key]?.focus()
  else if (event.key === "Enter" || event.key === " ") choose(grid, row.dataset.id)
  else return
  event.preventDefault()
}

function mark(grid, chosen) {
  const focused = grid.body.querySelector("[role=row]:focus")
  const entry = focused || grid.rows.get(chosen) || grid.body.firstElementChild
  for (const row of grid.body.children) {
    row.setAttribute("aria-selected", String(row.dataset.id === chosen))
    row.tabIndex = row === entry ? 0 : -1
  }
}

function patch(grid, data) {
  grid.root.style.setProperty("--share", data.share)
  grid.root.style.setProperty("--lists", data.lists)
  grid.title.textContent = data.title
  grid.count.textContent = data.count
  grid.table.setAttribute("aria-label", data.title)
  grid.empty.textContent = data.rows.length ? "" : data.empty
  grid.more.textContent = data.more || ""
  const keep = new Set(data.rows.map((row) => row.id))
  for (const [id, row] of grid.rows) if (!keep.has(id)) { row.remove(); grid.rows.delete(id); grid.shifted = performance.now() }
  let next = grid.body.firstElementChild
  for (const row of data.rows) {
    const text = JSON.stringify(row)
    let element = grid.rows.get(row.id)
    if (!element) {
      element = h("div", { role: "row", "data-id": row.id, tabindex: "-1" })
      grid.rows.set(row.id, element)
    }
    if (element.shown !== text) { element.shown = text; fill(element, row) }
    if (element === next) { next = next.nextElementSibling } else { grid.body.insertBefore(element, next); grid.shifted = performance.now() }
  }
  mark(grid, grid.pending || data.chosen)
}

function fill(element, row) {
  element.className = `row ${row.state}`
  element.setAttribute("aria-label", row.label)
  element.replaceChildren(
    h("div", { role: "gridcell", class: "priority" },
      ...(row.mark ? [glyph(row.mark, row.state), h("span", { class: "kind" }, row.kind)] : [symbol(row.priority, row.state),
        h("span", { class: row.state === "over" ? "p-over" : `p-${row.priority}` }, word(row.priority))])),
    h("div", { role: "gridcell", class: "title", title: row.title },
      row.number ? h("span", { class: "number" }, row.number) : "", row.title),
    h("div", { role: "gridcell", class: "at" }, ...(row.due ? [leftElement(row.due)] : row.until ? ["until ", timeElement(row.until)] : [timeElement(row.at)])),
    h("div", { role: "gridcell", class: "low" }, h("span", { class: "muted detail", title: row.detail }, row.detail),
      h("span", { class: "words" }, row.words)),
  )
}
