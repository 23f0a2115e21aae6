// The devices that a page can open, and what to say where there is none.

// Each is given the library's class Lab.
export const onGpu = (Lab) => Lab.open();
export const onCpu = (Lab) => Lab.open_cpu();

// Browsers do not tell the name of an adapter, only its vendor and architecture.
export async function named(device) {
    if (!device.includes('unnamed adapter')) return device;
    const adapter = await navigator.gpu.requestAdapter().catch(() => null);
    const known = [adapter?.info?.vendor, adapter?.info?.architecture].filter(Boolean).join(' ');
    return known === '' ? device : device.replace('unnamed adapter', known);
}

// Why Lab.open failed, as far as the browser tells.
export async function whatIsMissing() {
    if (!isSecureContext)
        return 'Browsers give WebGPU only to pages opened over https or from this machine, and this one was opened over plain http.';
    if (!navigator.gpu) return 'This browser has no WebGPU, or has it switched off: navigator.gpu is missing.';
    const adapter = await navigator.gpu.requestAdapter().catch(() => null);
    if (!adapter)
        return 'This browser knows WebGPU but offers no graphics adapter: acceleration may be switched off, or the card or its driver may be on the browser’s list of blocked ones.';
    return 'This browser offers a graphics adapter, but the library could not be opened on it.';
}
