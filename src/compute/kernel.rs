//! A kernel: what one dispatch computes, as WGSL and as the Rust function that defines it.

use bytemuck::Pod;

/// Buffers that one kernel may bind: what WebGPU guarantees.
pub const MAX_BINDINGS: usize = 8;

/// One operation on buffers.
///
/// A kernel knows no device. Its [`twin`](Kernel::twin) *defines* what it computes; the forms in
/// WGSL and the fast version are held to it by the tests.
#[derive(Debug)]
pub struct Kernel {
    /// The name that its shader, its description and its twin share; the kernel of a formula adds its text.
    pub name: &'static str,
    /// The fields of the parameter block, which is bound as uniform at binding 0.
    pub params: &'static [Field],
    /// The buffers, bound from binding 1 on: those read first, then those written.
    pub bindings: &'static [Binding],
    /// The definition, in plain Rust: the shader's loop, slow and clear.
    pub twin: fn(&mut Args),
    /// The same result, fast, on the CPU.
    pub fast: Option<fn(&mut Args)>,
    /// The forms in WGSL, most special first; the last one suits everything.
    pub forms: &'static [Form],
}

/// One way of computing a kernel on a GPU.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// What distinguishes it: `plain`, `tiled`, …
    pub name: &'static str,
    /// WGSL texts, joined in this order: the main file first.
    pub wgsl: &'static [&'static str],
    /// Values of the text's `override` constants.
    pub constants: &'static [(&'static str, f64)],
    /// Invocations in a workgroup, along x, y and z.
    pub workgroup: [u32; 3],
    /// Workgroup memory, in bytes.
    pub workgroup_bytes: u32,
    /// Workgroups that one model needs, given the parameter block.
    pub groups: fn(&[u32]) -> u64,
    /// Whether this form can and should run, given the parameter block and the adapter: a pure
    /// function, so that the same run takes the same forms.
    pub suits: fn(&[u32], &Capabilities) -> bool,
}

/// What a form may ask of an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Invocations in a subgroup, where subgroups are available and of one size only.
    pub subgroup_size: Option<u32>,
    /// Whether the adapter computes on the CPU.
    pub is_software: bool,
    /// The largest number of invocations in a workgroup.
    pub max_invocations: u32,
    /// The most workgroup memory, in bytes.
    pub max_workgroup_bytes: u32,
    /// The most workgroups along one dimension of a grid; more of them fold into the next one.
    pub max_workgroups: u32,
}

/// A buffer as a kernel sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The variable's name in WGSL.
    pub name: &'static str,
    /// What the kernel does with it.
    pub access: Access,
    /// What it holds.
    pub element: Element,
}

/// What a kernel does with a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Only reads it.
    Read,
    /// Overwrites what its view covers, without looking at what was there.
    Write,
    /// Reads and changes it.
    Update,
}

/// What a buffer holds; every element is 4 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// 32-bit floating point.
    F32,
    /// 32-bit unsigned integers.
    U32,
    /// 32 bits that are copied whatever they mean; a shader sees them as `u32`.
    Word,
}

/// One field of a parameter block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The field's name, in WGSL and in Rust.
    pub name: &'static str,
    /// Its type in WGSL: `View`, `u32` or `f32`.
    pub kind: &'static str,
}

/// Where the elements of an operand lie: element `(model, row, column)` is at
/// `offset + model * self.model + row * self.row + column * self.column`.
///
/// A stride of 0 repeats: one bias for all rows, one data set for all models.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct View {
    /// Position of the first element.
    pub offset: u32,
    /// Elements from one model to the next.
    pub model: u32,
    /// Elements from one row to the next.
    pub row: u32,
    /// Elements from one column to the next.
    pub column: u32,
}

impl View {
    /// The position of an element.
    #[inline]
    pub fn at(&self, model: u32, row: u32, column: u32) -> usize {
        self.offset as usize
            + model as usize * self.model as usize
            + row as usize * self.row as usize
            + column as usize * self.column as usize
    }

    /// This view of one model alone.
    #[inline]
    pub fn of_model(&self, model: u32) -> View {
        View { offset: self.at(model, 0, 0) as u32, model: 0, ..*self }
    }
}

/// A parameter block: plain words, laid out as its WGSL struct.
pub trait Params: Pod {
    /// The fields, in order.
    const FIELDS: &'static [Field];

    /// How many invocations compute one model in the plain form.
    fn invocations(&self) -> u64;
}

/// Declares a parameter block: views first (16 bytes each, as uniform buffers demand), then
/// scalars; and the number of invocations of the plain form as a product of fields.
macro_rules! params {
    ($name:ident { $($field:ident: $kind:ident),* $(,)? } invocations: $($size:ident)*) => {
        #[repr(C)]
        #[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct $name { $(pub $field: $kind),* }

        impl $crate::compute::kernel::Params for $name {
            const FIELDS: &'static [$crate::compute::kernel::Field] = &[
                $($crate::compute::kernel::Field { name: stringify!($field), kind: stringify!($kind) }),*
            ];

            fn invocations(&self) -> u64 {
                1 $(* u64::from(self.$size))*
            }
        }
    };
}
pub(crate) use params;

/// Reads a parameter block out of its words.
pub(crate) fn params_of<P: Params>(words: &[u32]) -> &P {
    bytemuck::from_bytes(bytemuck::cast_slice(words))
}

/// What a twin or a fast version is called with: one step's parameters and buffers.
pub struct Args<'a> {
    params: &'a [u32],
    /// How many models the step computes.
    pub models: u32,
    /// How many threads a fast version may use; its result must not depend on it.
    pub threads: usize,
    read: [&'a [u32]; MAX_BINDINGS],
    written: [&'a mut [u32]; MAX_BINDINGS],
}

impl<'a> Args<'a> {
    pub(crate) fn new(params: &'a [u32], models: u32, threads: usize) -> Self {
        Args { params, models, threads, read: [&[]; MAX_BINDINGS], written: std::array::from_fn(|_| &mut [][..]) }
    }

    pub(crate) fn bind_read(&mut self, binding: usize, words: &'a [u32]) {
        self.read[binding] = words;
    }

    pub(crate) fn bind_written(&mut self, binding: usize, words: &'a mut [u32]) {
        self.written[binding] = words;
    }

    /// The parameter block.
    pub(crate) fn params<P: Params>(&self) -> &'a P {
        params_of(self.params)
    }

    /// The buffer at position `binding` of [`Kernel::bindings`], which the kernel only reads.
    pub(crate) fn read<T: Pod>(&self, binding: usize) -> &'a [T] {
        bytemuck::cast_slice(self.read[binding])
    }

    /// The buffer at position `binding` of [`Kernel::bindings`], which the kernel writes. It can
    /// be taken once.
    pub(crate) fn write<T: Pod>(&mut self, binding: usize) -> &'a mut [T] {
        bytemuck::cast_slice_mut(std::mem::take(&mut self.written[binding]))
    }
}

impl Binding {
    /// Floats that are only read.
    pub(crate) const fn read(name: &'static str) -> Binding {
        Binding { name, access: Access::Read, element: Element::F32 }
    }

    /// Floats that are overwritten.
    pub(crate) const fn write(name: &'static str) -> Binding {
        Binding { name, access: Access::Write, element: Element::F32 }
    }

    /// Floats that are read and changed.
    pub(crate) const fn update(name: &'static str) -> Binding {
        Binding { name, access: Access::Update, element: Element::F32 }
    }

    /// The same with other elements.
    pub(crate) const fn of(self, element: Element) -> Binding {
        Binding { element, ..self }
    }
}

impl Kernel {
    /// The form that an adapter runs for these parameters.
    pub fn form(&self, params: &[u32], capabilities: &Capabilities) -> &Form {
        let suiting = self.forms.iter().find(|form| (form.suits)(params, capabilities));
        suiting.unwrap_or_else(|| panic!("{}: its last form must suit everything", self.name))
    }
}

/// Invocations in a workgroup of a plain form.
pub(crate) const WORKGROUP: u32 = 64;

impl Form {
    /// The form that suits everything: one invocation for each of [`Params::invocations`].
    pub(crate) const fn plain<P: Params>(wgsl: &'static [&'static str]) -> Form {
        fn groups<P: Params>(words: &[u32]) -> u64 {
            params_of::<P>(words).invocations().div_ceil(u64::from(WORKGROUP))
        }
        fn always(_: &[u32], _: &Capabilities) -> bool {
            true
        }
        Form {
            name: "plain",
            wgsl,
            constants: &[],
            workgroup: [WORKGROUP, 1, 1],
            workgroup_bytes: 0,
            groups: groups::<P>,
            suits: always,
        }
    }

    /// The plain form with one workgroup for each of [`Params::invocations`], which shares a word of
    /// each of its own invocations.
    pub(crate) const fn plain_by_group<P: Params>(wgsl: &'static [&'static str]) -> Form {
        fn groups<P: Params>(words: &[u32]) -> u64 {
            params_of::<P>(words).invocations()
        }
        Form { groups: groups::<P>, workgroup_bytes: 4 * WORKGROUP, ..Form::plain::<P>(wgsl) }
    }

    /// The whole WGSL text.
    pub fn text(&self) -> String {
        self.wgsl.concat()
    }
}

impl PartialEq for Kernel {
    /// A kernel is its name: there is one of each.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}
