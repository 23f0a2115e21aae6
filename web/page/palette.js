// The colours of the two classes and all between, read from the style sheet so that they stand in one place.

export const N_SHADES = 256;

const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
const encoded = (v) => (v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055);

// Oklab (Björn Ottosson, 2020): equal distances look about equal, so no false edge appears in the picture.
function toOklab([red, green, blue]) {
    const [r, g, b] = [linear(red / 255), linear(green / 255), linear(blue / 255)];
    const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
    const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
    const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
    return [
        0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
        1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
        0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
    ];
}

function fromOklab([lightness, a, b]) {
    const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
    const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
    const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
    return [
        4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
        -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
        -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
    ].map((v) => Math.round(255 * encoded(Math.max(0, Math.min(1, v)))));
}

const fromHex = (text) => [1, 3, 5].map((at) => parseInt(text.trim().slice(at, at + 2), 16));

function mix(from, to, part) {
    const [a, b] = [toOklab(from), toOklab(to)];
    return fromOklab(a.map((v, k) => v + part * (b[k] - v)));
}

const indexOf = (probability) => Math.max(0, Math.min(N_SHADES - 1, Math.round(probability * (N_SHADES - 1))));

export class Palette {
    constructor() {
        const style = getComputedStyle(document.documentElement);
        const colour = (name) => style.getPropertyValue(name).trim();
        const [a, middle, b] = ['--field-a', '--field-middle', '--field-b'].map((name) => fromHex(colour(name)));
        this.shades = Array.from({ length: N_SHADES }, (_, k) => {
            const p = k / (N_SHADES - 1);
            return p < 0.5 ? mix(a, middle, 2 * p) : mix(middle, b, 2 * p - 1);
        });
        // The bytes of a pixel as one number, least first: every browser's machine stores numbers so.
        this.pixels = Uint32Array.from(this.shades, ([r, g, b]) => (255 << 24) | (b << 16) | (g << 8) | r);
        this.points = [colour('--class-a'), colour('--class-b')];
        this.halo = colour('--halo');
        this.ink = colour('--ink');
        this.quiet = colour('--quiet');
        this.line = colour('--line');
        this.accent = colour('--accent');
        this.ground = colour('--card');
    }

    // The pixel of a probability of class B. NaN has no colour: grey tells it apart from both classes.
    pixel(probability) {
        return Number.isNaN(probability) ? 0xff808080 : this.pixels[indexOf(probability)];
    }

    css(probability) {
        return `rgb(${this.shades[indexOf(probability)].join(' ')})`;
    }

    // The probability whose colour is nearest: the picture read back, for the test.
    probability([red, green, blue]) {
        const distance = ([r, g, b]) => (r - red) ** 2 + (g - green) ** 2 + (b - blue) ** 2;
        let best = 0;
        this.shades.forEach((shade, k) => {
            if (distance(shade) < distance(this.shades[best])) best = k;
        });
        return best / (N_SHADES - 1);
    }
}

// A grid of values in [0, 1], rows from the top, as a small picture of one pixel a value.
export function picture(values, resolution, palette) {
    const canvas = new OffscreenCanvas(resolution, resolution);
    const context = canvas.getContext('2d');
    const image = context.createImageData(resolution, resolution);
    const pixels = new Uint32Array(image.data.buffer);
    for (let k = 0; k < values.length; k++) pixels[k] = palette.pixel(values[k]);
    context.putImageData(image, 0, 0);
    return canvas;
}

// Makes a canvas as fine as the screen and gives its context, in which one unit is one CSS pixel.
export function sharpContext(canvas) {
    const { clientWidth: width, clientHeight: height } = canvas;
    const ratio = window.devicePixelRatio || 1;
    const [w, h] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    const context = canvas.getContext('2d');
    context.setTransform(w / Math.max(1, width), 0, 0, h / Math.max(1, height), 0, 0);
    context.clearRect(0, 0, width, height);
    return { context, width, height };
}
