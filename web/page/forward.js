// The network's pass forward in plain JavaScript, to draw what each neuron sees: the library gives the outputs of
// the network only. The test holds it to the library's picture.

const VALUES = {
    identity: (z) => z,
    relu: (z) => Math.max(z, 0),
    sigmoid: (z) => 1 / (1 + Math.exp(-z)),
    tanh: Math.tanh,
};

// The outputs of every neuron on a grid of resolution x resolution places, rows from y = 1 down:
// a list of layers, the inputs first, each a list of neurons, each a Float32Array.
export function neuronGrids(parameters, activation, resolution) {
    const n = resolution * resolution;
    const x = Float32Array.from({ length: n }, (_, k) => (2 * (k % resolution) + 1) / resolution - 1);
    const y = Float32Array.from({ length: n }, (_, k) => 1 - (2 * Math.floor(k / resolution) + 1) / resolution);
    const grids = [[x, y]];
    parameters.forEach(({ weight, bias }, layer) => {
        const value = layer + 1 < parameters.length ? VALUES[activation] : VALUES.identity;
        const inputs = grids.at(-1);
        grids.push(
            Array.from(weight, (row, o) => {
                const out = new Float32Array(n).fill(bias[o]);
                inputs.forEach((input, i) => {
                    const w = row[i];
                    for (let k = 0; k < n; k++) out[k] += w * input[k];
                });
                return out.map(value);
            }),
        );
    });
    return grids;
}
