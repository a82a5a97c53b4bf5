// Shared by the board's components: elements without innerHTML (texts come from the log), times, priority symbols.

const SVG = "http://www.w3.org/2000/svg"

function h(tag, attributes, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue
    element.setAttribute(name, value === true ? "" : value)
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""))
  return element
}

const SHAPES = {
  critical: "M7 1.5h10l5.5 5.5v10l-5.5 5.5h-10L1.5 17V7z",
  high: "M12 1.8 23 22H1z",
  medium: "M2.5 2.5h19v19h-19z",
  low: "M12 2a10 10 0 1 0 .01 0z",
}
const RANKS = { critical: "1", high: "2", medium: "3", low: "4" }

// The symbol of a priority: shape and number say it without colour; filled while nobody has acknowledged it.
function symbol(priority, state) {
  const svg = document.createElementNS(SVG, "svg")
  svg.setAttribute("viewBox", "0 0 24 24")
  svg.setAttribute("class", `symbol ${priority} ${state}`)
  svg.setAttribute("aria-hidden", "true")
  svg.style.animationDelay = `-${Date.now() % 1600}ms` // all symbols breathe together
  const shape = document.createElementNS(SVG, "path")
  shape.setAttribute("d", SHAPES[priority])
  const rank = document.createElementNS(SVG, "text")
  rank.setAttribute("x", "12")
  rank.setAttribute("y", priority === "high" ? "19.2" : "16.8")
  rank.textContent = RANKS[priority]
  svg.append(shape, rank)
  return svg
}

function word(text) {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

const pad = (n, width = 2) => String(n).padStart(width, "0")

// Local time of day; with the date where it is not today.
function clock(ms) {
  const at = new Date(ms)
  const day = at.toDateString() === new Date().toDateString() ? "" : `${pad(at.getDate())}.${pad(at.getMonth() + 1)}. `
  return `${day}${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`
}

function preciseClock(ms) {
  return `${clock(ms)}.${pad(Math.floor(((ms % 1000) + 1000) % 1000), 3)}`
}

function timeElement(ms, precise) {
  return h("time", { datetime: new Date(ms).toISOString(), title: new Date(ms).toString() },
    precise ? preciseClock(ms) : clock(ms))
}

function duration(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  if (seconds < 120) return `${Math.floor(seconds)} s`
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`
  return `${Math.floor(seconds / 86400)} days`
}

// A sign in a circle, where a line is no alarm; it breathes while somebody is waited for.
function glyph(text, state) {
  const sign = h("span", { class: `glyph ${state}`, "aria-hidden": "true" }, text)
  sign.style.animationDelay = `-${Date.now() % 1600}ms`
  return sign
}

// Time left until `ms`. `countdown` keeps it true; the head of the page knows how far this clock is from the server's.
function leftElement(ms) {
  const element = h("span", { class: "left", "data-due": ms, title: new Date(ms).toString() })
  showLeft(element)
  return element
}

function showLeft(element) {
  const seconds = Math.ceil((Number(element.dataset.due) - Date.now() + (globalThis.andonSkew || 0)) / 1000)
  const text = seconds <= 0 ? "out of time" : seconds < 60 ? `${seconds} s left`
    : seconds < 3600 ? `${Math.floor(seconds / 60)}:${pad(seconds % 60)} min left` : `${duration(seconds)} left`
  if (element.textContent !== text) element.textContent = text
  element.classList.toggle("soon", seconds < 60)
}

// Call it at each drawing; it gives back how to end it.
function countdown(holder, root) {
  const tick = () => root.querySelectorAll("[data-due]").forEach(showLeft)
  tick()
  clearInterval(holder.timer)
  holder.timer = setInterval(tick, 500)
  return () => clearInterval(holder.timer)
}
