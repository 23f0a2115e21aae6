//! Trains and runs multilayer perceptrons on any GPU through wgpu, or fast on the CPU.

pub mod random;
