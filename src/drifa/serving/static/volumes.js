"use strict";

// Okabe and Ito's colours, which people of any colour vision tell apart, ordered so that neighbours differ in lightness as well.
const COLOURS = [[86, 180, 233], [213, 94, 0], [240, 228, 66], [0, 158, 115], [204, 121, 167], [0, 114, 178], [230, 159, 0]];

const sizes = (regions) => Object.entries(regions).map(([name, one]) => `${name} ${one.volume_ml.toFixed(1)} ml`).join(", ");

async function unpack(base64) {
  const packed = new Blob([Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0))]);
  return new Uint8Array(await new Response(packed.stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer());
}

// Everything to see of an answer about volumes: one slice of each modality at a time, and the legend of the regions.
async function volumes(answer) {
  const { shape: [count, height, width], size_mm: [down, across], depth, numbers, images, masks } = answer.slices;
  const planes = [];
  for (const [name, stack] of Object.entries(images)) {
    const canvas = make("canvas", { width, height, role: "img" });
    canvas.style.aspectRatio = `${across} / ${down}`;
    planes.push({ name, canvas, stack: await unpack(stack), pixels: new ImageData(width, height) });
  }
  const tasks = Object.entries(answer.tasks).filter(([, told]) => told.regions);
  const regions = [];
  for (const [task, told] of tasks) {
    for (const [name, figures] of Object.entries(told.regions)) {
      const colour = COLOURS[regions.length % COLOURS.length];
      const seen = make("input", { type: "checkbox", checked: true });
      const called = tasks.length > 1 ? `${task}: ${name}` : name;
      regions.push({ called, figures, colour, seen, mask: await unpack(masks[task][name]) });
    }
  }
  // No region is hidden by a larger one.
  const smallest = [...regions].sort((one, other) => one.figures.volume_ml - other.figures.volume_ml);

  const slice = make("input", { id: "slice", type: "range", min: 1, max: count, step: 1, value: fullest(regions, count) });
  const opacity = make("input", { id: "opacity", type: "range", min: 0, max: 100, step: 5, value: 50 });
  const place = make("span", { className: "muted", ariaHidden: "true" });
  const share = make("span", { className: "muted", ariaHidden: "true" });

  function draw() {
    const number = slice.value - 1, start = number * width * height, strength = opacity.value / 100;
    const words = `slice ${numbers[number]} of ${depth}`;
    const shown = smallest.filter(({ seen }) => seen.checked);
    place.textContent = `${numbers[number]} of ${depth}`;
    slice.setAttribute("aria-valuetext", words);
    share.textContent = `${opacity.value} %`;
    opacity.setAttribute("aria-valuetext", `${opacity.value} percent`);
    for (const { name, canvas, stack, pixels } of planes) {
      const { data } = pixels;
      for (let pixel = 0; pixel < width * height; pixel += 1) {
        const grey = stack[start + pixel];
        const region = shown.find(({ mask }) => mask[start + pixel]);
        for (let part = 0; part < 3; part += 1) {
          data[4 * pixel + part] = region ? (1 - strength) * grey + strength * region.colour[part] : grey;
        }
        data[4 * pixel + 3] = 255;
      }
      canvas.getContext("2d").putImageData(pixels, 0, 0);
      const found = regions.filter(({ seen, mask }) => seen.checked && mask.subarray(start, start + width * height).includes(1)).map(({ called }) => called);
      canvas.setAttribute("aria-label", `${name}, ${words}, ${found.length ? `with ${found.join(", ")}` : "without a region"}`);
    }
  }
  for (const input of [slice, opacity, ...regions.map(({ seen }) => seen)]) input.addEventListener("input", draw);
  draw();

  return [
    make("h3", { textContent: tasks.map(([name]) => name).join(", ") }),
    legend(regions),
    make("div", { className: "controls" },
      make("div", {}, make("label", { htmlFor: "slice" }, "Slice "), place, slice),
      make("div", {}, make("label", { htmlFor: "opacity" }, "Opacity of the regions "), share, opacity)),
    make("div", { className: "planes" },
      ...planes.map(({ name, canvas }) => make("figure", {}, canvas, make("figcaption", { textContent: name })))),
    make("p", { className: "muted", textContent:
      "Axial slices, from the lowest to the highest; the patient’s right is at the left, the front at the top. " +
      "Reduced to look at: at most 160 slices of 160 pixels a side, grey from the 1st to the 99th percentile; " +
      "a pixel is in a region where any of its voxels is." }),
  ];
}

// Where most of the regions is, or the middle.
function fullest(regions, count) {
  let best = Math.ceil(count / 2), most = 0;
  for (let number = 0; number < count; number += 1) {
    let here = 0;
    for (const { mask } of regions) {
      const size = mask.length / count;
      here += mask.subarray(number * size, (number + 1) * size).reduce((sum, value) => sum + value, 0);
    }
    if (here > most) [best, most] = [number + 1, here];
  }
  return best;
}

function legend(regions) {
  const rows = regions.map(({ called, figures, colour, seen }) => {
    const swatch = make("span", { className: "swatch" });
    swatch.style.backgroundColor = `rgb(${colour.join(" ")})`;
    const { volume_ml: size, volume_interval: ends, predictive_entropy: entropy } = figures;
    const spread = ends ? `(${ends[0].toFixed(1)} to ${ends[1].toFixed(1)})` : "";
    return make("tr", {}, make("th", { scope: "row" }, make("label", {}, seen, swatch, called)),
      make("td", {}, make("span", { textContent: `${size.toFixed(1)} ml` }), " ", make("span", { className: "muted", textContent: spread })),
      make("td", { textContent: entropy === null ? "–" : `${entropy.toFixed(2)} nats` }));
  });
  const heads = ["Region", "Volume (2.5 to 97.5 % of the draws)", "Mean entropy"];
  return make("table", { className: "legend" },
    make("thead", {}, make("tr", {}, ...heads.map((textContent) => make("th", { scope: "col", textContent })))), make("tbody", {}, ...rows));
}
