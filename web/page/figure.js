// Numbers as a reader likes them: four significant digits and a true minus sign.

export function figure(value) {
    // JSON has no NaN; the library's answer holds null in its place.
    if (!Number.isFinite(value)) return String(value ?? NaN).replace('-', '−');
    const size = Math.abs(value);
    // Between these a plain number is shorter than one with a power of ten.
    const isPlain = size === 0 || (size >= 5e-4 && size < 99995);
    const text = size === 0 ? '0' : isPlain ? value.toPrecision(4) : value.toExponential(3);
    return text.replace('e+', 'e').replaceAll('-', '−');
}

// The number that a reader sees, for the test.
export const fromFigure = (text) => Number(text.replaceAll('−', '-'));

// In a sum or a product, a negative number is put in brackets.
export const bracketed = (value) => (value < 0 ? `(${figure(value)})` : figure(value));
