"use strict";

const byId = (id) => document.getElementById(id);
let model = null;
let token = "";
// A slow answer to an earlier question must not replace a later one.
let asked = 0;

function make(tag, properties = {}, ...children) {
  const { dataset, ...rest } = properties;
  const element = Object.assign(document.createElement(tag), rest);
  Object.assign(element.dataset, dataset || {});
  element.append(...children);
  return element;
}

const percent = (value) => `${(100 * value).toFixed(1)} %`;

async function ask(path, options = {}) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch {
    throw Object.assign(new Error("The server does not answer; see whether it still runs."), { status: 0 });
  }
  if (response.ok) return response;
  let told = { message: `The server answered ${response.status}.` };
  try {
    told = (await response.json()).error;
  } catch { /* not from this server: keep the number */ }
  throw Object.assign(new Error(told.message), { status: response.status, field: told.field });
}

function fail(error) {
  byId("status").textContent = "";
  byId("failure").textContent = error.message;
  byId("failure").hidden = false;
  for (const zone of document.querySelectorAll(".drop")) zone.classList.toggle("wrong", zone.dataset.name === error.field);
  const field = error.field && [...document.querySelectorAll("[data-field]")].find((one) => one.dataset.field === error.field);
  if (field) field.focus();
}

function forget() {
  asked += 1;
  byId("failure").hidden = true;
  byId("status").textContent = "";
  byId("answer").hidden = true;
  for (const zone of document.querySelectorAll(".drop")) zone.classList.remove("wrong");
}

async function start() {
  try {
    model = await (await ask("/v1/model")).json();
  } catch (error) {
    if (error.status !== 401) return fail(error);
    byId("about").textContent = "This server asks for a token.";
    byId("unlock").hidden = false;
    if (token) fail(error);
    return;
  }
  byId("unlock").hidden = true;
  byId("failure").hidden = true;
  const tasks = Object.keys(model.tasks).join(", ");
  document.title = `drifa – ${model.study || "model"}`;
  byId("title").textContent = model.study || "drifa";
  byId("about").textContent =
    `Answers ${tasks}. ` + (model.calibrated ? "Calibrated." : "Not calibrated: it says nothing of when to ask a person.");
  byId("pictures").replaceChildren(...Object.keys(model.modalities).map(zone));
  byId("columns").replaceChildren(...Object.entries(model.columns).map(column));
  const examples = model.examples.map((name, number) =>
    make("button", { type: "button", className: "plain", textContent: name, onclick: () => example(number) }));
  byId("examples").append(...examples);
  byId("examples").hidden = !examples.length;
  byId("card-text").textContent = model.card || "";
  byId("card").hidden = !model.card;
  byId("case").hidden = false;
  document.body.dataset.ready = "yes";
}

function zone(name) {
  const volume = model.modalities[name].kind === "volume";
  const words = volume ? "Drop a volume here (.nii.gz, .nii), or choose one" : "Drop an image here, or choose one";
  const input = make("input", { type: "file", name, dataset: { field: name } });
  const hint = make("span", { className: "muted", textContent: words });
  const picture = make("img", { alt: "", hidden: true });
  const label = make("label", { className: "drop", dataset: { name } }, make("strong", { textContent: name }), hint, input, picture);
  input.addEventListener("change", () => {
    forget();
    if (picture.src) URL.revokeObjectURL(picture.src);
    const file = input.files[0];
    hint.textContent = file ? file.name : words;
    picture.hidden = !file || volume;
    if (!picture.hidden) picture.src = URL.createObjectURL(file);
  });
  picture.addEventListener("error", () => { picture.hidden = true; }); // DICOM and the like: the server reads them
  for (const [kind, over] of [["dragenter", true], ["dragover", true], ["dragleave", false], ["drop", false]]) {
    label.addEventListener(kind, (event) => { event.preventDefault(); label.classList.toggle("over", over); });
  }
  label.addEventListener("drop", (event) => { if (event.dataTransfer.files.length) put(input, event.dataTransfer.files[0]); });
  return label;
}

function put(input, file) {
  const transfer = new DataTransfer();
  transfer.items.add(file);
  input.files = transfer.files;
  input.dispatchEvent(new Event("change"));
}

function column([name, told], number) {
  const id = `column-${number}`;
  const input = told.categories.length
    ? make("select", { id, name, dataset: { field: name } }, make("option", { value: "", textContent: "unknown" }),
      ...told.categories.map((value) => make("option", { value, textContent: value })))
    : make("input", { id, name, type: "text", inputMode: "decimal", autocomplete: "off", dataset: { field: name } });
  input.addEventListener("change", forget);
  return make("div", { className: "field" }, make("label", { htmlFor: id, textContent: name }), input);
}

async function example(number) {
  try {
    for (const name of Object.keys(model.modalities)) {
      const content = await (await ask(`/v1/examples/${number}/${encodeURIComponent(name)}`)).blob();
      const input = [...document.querySelectorAll("input[type=file]")].find((one) => one.name === name);
      put(input, new File([content], `example ${number + 1}.png`, { type: "image/png" }));
    }
  } catch (error) {
    return fail(error);
  }
  byId("case").requestSubmit();
}

function filled() {
  const form = new FormData();
  for (const [name, value] of new FormData(byId("case"))) {
    if (value instanceof File ? value.size || value.name : value) form.append(name, value);
  }
  return form;
}

const ofVolumes = () => Object.values(model.modalities).some((one) => one.kind === "volume");

async function submit(event) {
  event.preventDefault();
  forget();
  const turn = asked;
  byId("ask").disabled = true;
  byId("status").textContent = "Asking the model …";
  try {
    const answer = await (await ask(`/v1/predict${ofVolumes() ? "?slices=true" : ""}`, { method: "POST", body: filled() })).json();
    if (turn === asked) await show(answer, turn);
  } catch (error) {
    if (turn === asked) fail(error);
  } finally {
    byId("ask").disabled = false;
  }
}

async function show(answer, turn) {
  const view = answer.slices ? await volumes(answer) : [];
  if (turn !== asked) return;
  const told = [];
  if (answer.missing.length) told.push(make("p", { textContent: `Without ${answer.missing.join(" and ")}.` }));
  if (answer.note) told.push(make("p", { textContent: answer.note }));
  for (const { modality, text } of answer.warnings) {
    told.push(make("p", { className: "alarm" }, make("strong", { textContent: `${modality}: ` }), text));
  }
  byId("told").replaceChildren(...told);
  byId("tasks").replaceChildren(...Object.entries(answer.tasks).filter(([, one]) => !one.regions).map(task));
  byId("maps").replaceChildren();
  byId("volumes").replaceChildren(...view);
  byId("answer").hidden = false;
  const said = Object.entries(answer.tasks).map(([name, one]) => `${name}: ${one.regions ? sizes(one.regions) : one.predicted ?? one.value}`);
  byId("status").textContent = `Answered. ${said.join(", ")}.`;
  byId("answer-title").focus();
  if (!answer.slices && Object.keys(answer.images).length) explain(turn);
}

function task([name, told]) {
  const box = make("article", { className: "task", dataset: { task: name } }, make("h3", { textContent: name }));
  if (told.verdict) {
    const kind = told.abstain && told.abstain.refer ? "refer" : "sure";
    box.append(make("p", { className: `verdict ${kind}`, textContent: told.verdict }));
  }
  if (!told.probabilities) {
    const facts = Object.entries(told).filter(([, value]) => typeof value === "number" || typeof value === "string");
    for (const [key, value] of facts) box.append(make("p", { textContent: `${key}: ${typeof value === "number" ? value.toPrecision(4) : value}` }));
    return box;
  }
  box.append(make("p", {}, make("strong", { textContent: told.predicted }), `, confidence ${percent(told.confidence)}, ` +
    `entropy ${percent(told.uncertainty.entropy_share)} of the most` + (told.agreement ? `, ${told.agreement}` : "")));
  if (told.prediction_set) {
    box.append(make("p", { textContent: `With the promised probability one of: ${told.prediction_set.join(", ") || "none of the classes"}` }));
  }
  const rows = Object.entries(told.probabilities).map(([label, value]) => {
    const bar = make("div");
    bar.style.width = percent(value).replace(" ", "");
    return make("tr", { className: label === told.predicted ? "best" : "" }, make("th", { scope: "row", textContent: label }),
      make("td", { ariaHidden: "true" }, make("div", { className: "bar" }, bar)), make("td", { textContent: percent(value) }));
  });
  box.append(make("table", { className: "bars", ariaLabel: `Probabilities of ${name}` }, make("tbody", {}, ...rows)));
  return box;
}

const address = (base64) =>
  URL.createObjectURL(new Blob([Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0))], { type: "image/png" }));

async function explain(turn) {
  const place = byId("maps");
  place.replaceChildren(make("p", { className: "muted", textContent: "Drawing where the answers come from …" }));
  let found;
  try {
    found = await (await ask("/v1/explain", { method: "POST", body: filled() })).json();
  } catch (error) {
    if (turn === asked) place.replaceChildren(make("p", { className: "muted", textContent: `No map: ${error.message}` }));
    return;
  }
  if (turn !== asked) return;
  const figures = Object.entries(found.tasks).flatMap(([name, { output, maps }]) =>
    Object.entries(maps).map(([modality, map], number) => {
      const over = make("img", { src: address(map), alt: "" });
      over.style.opacity = "0.6";
      const slider = make("input", { type: "range", min: 0, max: 1, step: 0.05, value: 0.6, ariaLabel: `Opacity of the map of ${name} on ${modality}` });
      slider.addEventListener("input", () => { over.style.opacity = slider.value; });
      const picture = make("img", { src: address(found.images[modality]), alt: `${modality}, with what speaks for ${output}` });
      return make("figure", {}, make("div", { className: "stack" }, picture, over), slider,
        make("figcaption", { textContent: `${modality}: what speaks for ${name} = ${output} (HiResCAM, opacity above)` }));
    }));
  place.replaceChildren(...figures);
}

byId("case").addEventListener("submit", submit);
byId("case").addEventListener("reset", () => setTimeout(() => {
  for (const input of document.querySelectorAll("input[type=file]")) input.dispatchEvent(new Event("change"));
  forget();
}));
byId("unlock").addEventListener("submit", (event) => {
  event.preventDefault();
  token = byId("token").value.trim();
  start();
});
start();
