// node checks/tint.mjs DAWN FOLDER: every WGSL text of FOLDER/shaders.json through Tint, the compiler of
// Chrome's WebGPU, as far as a compute pipeline; no driver is needed. Tint holds barriers and subgroup
// operations to uniform control flow, which naga does not. DAWN is the folder of npm's package `webgpu`.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [dawn, folder] = process.argv.slice(2);
const { create, globals } = await import(pathToFileURL(resolve(dawn, 'index.js')));
Object.assign(globalThis, globals);

// The null backend: it compiles, and computes nothing.
const gpu = create(['backend=null']);
const adapter = await gpu.requestAdapter();
if (!adapter?.features.has('subgroups')) {
  console.error('Dawn offers no adapter with subgroups; its null backend should');
  process.exit(2);
}
const device = await adapter.requestDevice({ requiredFeatures: ['subgroups'] });

// What Tint says against a text, or nothing.
async function refusal(text, constants) {
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ code: text });
  const { messages } = await module.getCompilationInfo();
  const error = await device.popErrorScope();
  if (error) {
    return messages.map((m) => `line ${m.lineNum}: ${m.message}`).join('\n') || error.message;
  }
  try {
    await device.createComputePipelineAsync({ layout: 'auto', compute: { module, entryPoint: 'main', constants } });
  } catch (reason) {
    return reason.message;
  }
}

// A barrier that not every invocation reaches: a compiler that lets this pass is not looking.
const canary = `@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) local: u32) {
  if local < 32u {
    workgroupBarrier();
  }
}`;
if (!(await refusal(canary, {}))?.includes('uniform control flow')) {
  console.error('Tint let a barrier in non-uniform control flow pass');
  process.exit(1);
}

const shaders = JSON.parse(readFileSync(join(folder, 'shaders.json'), 'utf8'));
let nRefused = 0;
for (const { name, file, constants } of shaders) {
  const message = await refusal(readFileSync(join(folder, file), 'utf8'), constants);
  if (message !== undefined) {
    nRefused += 1;
    console.error(`REFUSED ${name}\n${message}`);
  }
}
console.log(`Tint: ${shaders.length - nRefused} of ${shaders.length} texts accepted`);
device.destroy();
process.exit(nRefused > 0 || shaders.length === 0 ? 1 : 0);
