// The head of the board, and its watchman: the age of what is shown is counted by the browser's own clock, so a server
// that is stopped, killed or cut off turns the page red without saying a word.

export default function (component) {
  const { data, parentElement } = component
  const head = parentElement.head || (parentElement.head = build(parentElement))
  if (head.now !== data.now) { head.now = data.now; head.wall = Date.now(); head.tick = performance.now(); globalThis.andonSkew = Date.now() - data.now }
  head.data = data
  show(head)
  handsOff(head)
  watch(head)
  clearInterval(head.timer)
  head.timer = setInterval(() => watch(head), 250)
  return () => clearInterval(head.timer)
}

function build(parent) {
  const parts = {}
  const part = (name, tag, attributes) => (parts[name] = h(tag, attributes || {}))
  const tile = (name, label) => h("div", { class: "tile", "data-tile": name },
    part(name, "b"), h("span", {}, label), part(`${name}Word`, "i"))
  const root = h("div", { class: "root head" },
    h("div", { class: "brand" }, h("strong", {}, "ANDON"), part("plant", "span")),
    h("div", { class: "tiles" }, tile("unacknowledged", "unacknowledged"), tile("active", "alarms active"),
      tile("incidents", "incidents open")),
    h("div", { class: "trouble", role: "status", "aria-label": "Cut off and lost" }, part("trouble", "div")),
    h("div", { class: "age", role: "status", "aria-label": "Age of data" }, part("live", "div", { class: "live" }),
      part("reading", "div", { class: "muted" })))
  const banner = h("div", { class: "banner", role: "alert" }, part("old", "strong"), part("why", "span"))
  const hands = h("section", { class: "hands", "aria-label": "Hands off", "aria-live": "assertive" })
  parent.append(root, hands, banner, h("div", { class: "frame" }))
  return { parts, root, hands, banner, parent }
}

function show(head) {
  const { parts, data } = head
  parts.plant.textContent = data.plant
  for (const name of ["unacknowledged", "active", "incidents"]) {
    parts[name].textContent = data.counts[name].toLocaleString("en")
    const tile = parts[name].parentElement
    tile.className = `tile ${data.counts[name] ? "some" : "none"}`
  }
  parts.unacknowledged.parentElement.classList.toggle("abnormal", Boolean(data.worst))
  parts.unacknowledgedWord.textContent = data.worst ? `highest: ${data.worst}` : ""
  parts.unacknowledgedWord.className = data.worst ? `p-${data.worst}` : ""
  parts.unacknowledged.className = data.worst ? `p-${data.worst}` : ""
  const lines = data.trouble.map((t) => h("div", { class: "line", title: `${t.text}, since ${clock(t.since)}. ${t.detail}` },
    h("b", { "aria-hidden": "true" }, "⚠"), h("span", {}, t.text), h("span", { class: "muted" }, `since ${clock(t.since)}`)))
  const shown = lines.length > 2 ? [...lines.slice(0, 1), h("div", { class: "line", title: data.trouble.map((t) => t.text).join("\n") },
    h("b", { "aria-hidden": "true" }, "⚠"), h("span", {}, `and ${lines.length - 1} more`))] : lines
  parts.trouble.replaceChildren(...shown)
}

// Where nothing acts: too large and too loud to be overlooked. The lists below get so much smaller.
function handsOff(head) {
  const { hands, data } = head
  const text = JSON.stringify(data.hands_off)
  if (hands.shown === text) return
  hands.shown = text
  const lines = data.hands_off.map((line) => h("div", { class: "off" }, h("b", {}, line.where),
    line.since ? h("span", {}, `stopped by ${line.by} at `, timeElement(line.since), `: ${line.reason}`) : ""))
  hands.replaceChildren(...(lines.length ? [h("strong", {}, "HANDS OFF"), h("div", { class: "offs" }, ...lines,
    h("div", { class: "small" }, "No playbook acts there, no device is moved, until a supervisor allows it."))] : []))
  hands.classList.toggle("on", lines.length > 0)
  const above = lines.length ? `${hands.offsetHeight + 10}px` : "0px"
  document.documentElement.style.setProperty("--andon-above", above)
}

function watch(head) {
  const { data, parts } = head
  // Whichever clock ran further: the monotonic one sleeps with the computer, the wall clock may be set back.
  const elapsed = Math.max(0, Date.now() - head.wall, performance.now() - head.tick) / 1000
  const age = data.age_s + elapsed
  const reading = data.reading_age_s === null ? null : data.reading_age_s + age
  const gone = age > data.limits.board
  const log = data.log_age_s === null ? 0 : data.log_age_s + age
  const still = !gone && log > data.limits.log
  const old = gone || still
  document.documentElement.classList.toggle("andon-old", old)
  head.root.classList.toggle("old", old)
  head.banner.parentNode.querySelector(".frame").classList.toggle("on", old)
  head.banner.classList.toggle("on", old)
  parts.live.textContent = old ? "Not live" : "Live"
  parts.reading.textContent = old ? `data is ${duration(gone ? age : log)} old`
    : reading === null ? "no reading has come yet"
      : reading > data.limits.readings ? `no readings for ${duration(reading)}` : `data is ${duration(reading)} old`
  // What is pressed now would act whenever the server comes back: better not at all. But stopping is never wrong.
  for (const form of document.querySelectorAll("[data-testid=stForm]")) form.inert = old && !form.closest(".st-key-stop_acting")
  if (!old) { parts.old.textContent = parts.why.textContent = ""; return }
  parts.old.textContent = `DATA IS ${Math.floor(gone ? age : log)} s OLD`
  parts.why.textContent = still ? "The event log stands still: what happens now cannot be seen, whatever is shown below."
    : data.error ? `${data.error}. What is shown below may no longer be true.`
      : "The board's server does not answer. What is shown below may no longer be true."
}
