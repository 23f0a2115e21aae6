//! Random numbers that are the same on every machine, for ever.
//!
//! All of them come from one function, [`threefry2x32`]: a key and a counter give two words.
//! It has no state, so any number can be computed without those before it:
//! a resumed run draws exactly what the interrupted one would have drawn,
//! and a shader can compute the numbers of its own element.
//!
//! Two layouts stand on it:
//!
//! - [`Key`] and [`KeySequence`] lay words out as MLX does,
//!   so that a seed gives the initial weights of `mx.random.seed` and `mlx.nn.Linear`, bit for bit.
//! - [`Threefry`] is an ordinary generator for everything else,
//!   split by [`Purpose`] and stream so that drawing for one use never changes what another draws.
//!
//! None of this is meant for cryptography.

mod normal;

use std::convert::Infallible;

use rand::TryRng;
use rand::rand_core::utils;

/// Two words that depend on every bit of `key` and `counter`: Threefry-2x32 with 20 rounds.
///
/// For a fixed key this is a permutation of the counters: different counters give different results.
/// The function is the one of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011).
///
/// ```
/// use nngpu::random::threefry2x32;
///
/// assert_eq!(threefry2x32([0, 0], [0, 0]), [0x6b200159, 0x99ba4efe]);
/// ```
#[inline(always)]
pub const fn threefry2x32(key: [u32; 2], counter: [u32; 2]) -> [u32; 2] {
    const ROTATIONS: [[u32; 4]; 2] = [[13, 15, 26, 6], [17, 29, 16, 24]];
    // The parity constant keeps the schedule from being all zeros for any key.
    let schedule = [key[0], key[1], key[0] ^ key[1] ^ 0x1bd1_1bda];
    let mut a = counter[0].wrapping_add(schedule[0]);
    let mut b = counter[1].wrapping_add(schedule[1]);
    // `while`, because `for` is not allowed in a `const fn`.
    let mut group = 0;
    while group < 5 {
        let mut round = 0;
        while round < 4 {
            a = a.wrapping_add(b);
            b = b.rotate_left(ROTATIONS[group % 2][round]) ^ a;
            round += 1;
        }
        a = a.wrapping_add(schedule[(group + 1) % 3]);
        b = b.wrapping_add(schedule[(group + 2) % 3]).wrapping_add(group as u32 + 1);
        group += 1;
    }
    [a, b]
}

/// A key of [`threefry2x32`]: names one sequence of random words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key([u32; 2]);

impl Key {
    /// The key of a seed: its high 32 bits, then its low 32 bits. The same as `mx.random.key(seed)`.
    pub const fn new(seed: u64) -> Key {
        Key([(seed >> 32) as u32, seed as u32])
    }

    /// The two words of the key, in the order that [`threefry2x32`] takes them.
    pub const fn words(self) -> [u32; 2] {
        self.0
    }

    /// The key number `index` below this one. Different indices give different keys.
    ///
    /// ```
    /// use nngpu::random::Key;
    ///
    /// let key = Key::new(42);
    /// assert_ne!(key.derive(0), key.derive(1));
    /// assert_ne!(key.derive(0), key);
    /// ```
    pub const fn derive(self, index: u64) -> Key {
        Key(threefry2x32(self.0, [index as u32, (index >> 32) as u32]))
    }

    /// The key of one stream of one purpose, for instance of the shuffling of epoch 7.
    ///
    /// [`Threefry::new`] draws from it; a shader is given its [words](Key::words).
    pub const fn stream(self, purpose: Purpose, stream: u64) -> Key {
        self.derive(purpose as u64).derive(stream)
    }

    /// Two new keys, the same as `mx.random.split(key)` gives.
    ///
    /// By MLX's convention the first becomes the state of the sequence, the second is used for a draw.
    pub fn split(self) -> (Key, Key) {
        let words = self.bits(4);
        (Key([words[0], words[1]]), Key([words[2], words[3]]))
    }

    /// `n` random words, laid out as MLX's `random::bits` lays out those of an array of `n` words.
    /// `mx.random.split(key, n / 2)` shows them to Python.
    ///
    /// The words depend on `n`: fewer words are not the beginning of more.
    ///
    /// ```
    /// use nngpu::random::Key;
    ///
    /// assert_eq!(Key::new(0).bits(1), [0x6b200159]);
    /// assert!(Key::new(0).bits(0).is_empty());
    /// ```
    pub fn bits(self, n: usize) -> Vec<u32> {
        let half = n / 2;
        let second_start = n.div_ceil(2);
        let mut words = vec![0; n];
        // Counters are 32-bit words and wrap above 2^32 words.
        for i in 0..half {
            [words[i], words[second_start + i]] = threefry2x32(self.0, [i as u32, (second_start + i) as u32]);
        }
        if n % 2 == 1 {
            // The odd word stands between the halves; the other word of its call is dropped.
            words[half] = threefry2x32(self.0, [half as u32, 0])[0];
        }
        words
    }

    /// `n` numbers in `[low, high)`, the same as `mx.random.uniform(low, high, shape=[n], key=key)`.
    ///
    /// The equality was checked on MLX's CPU device; its GPU device may round differently.
    /// `high` itself can appear where rounding leads to it.
    ///
    /// ```
    /// use nngpu::random::Key;
    ///
    /// let numbers = Key::new(42).uniform(-0.5, 0.5, 1000);
    /// assert_eq!(numbers.len(), 1000);
    /// assert!(numbers.iter().all(|x| (-0.5..=0.5).contains(x)));
    /// ```
    pub fn uniform(self, low: f32, high: f32, n: usize) -> Vec<f32> {
        let range = high - low;
        // Two roundings, as in MLX: a fused multiply-add would change last bits.
        self.bits(n).into_iter().map(|word| range * unit(word) + low).collect()
    }
}

/// A number in `[0, 1)` from a random word, as MLX makes it.
fn unit(word: u32) -> f32 {
    const BELOW_ONE: f32 = 1.0 - f32::EPSILON / 2.0;
    // The 128 highest words round to 1.0, which is outside the interval.
    (word as f32 / u32::MAX as f32).min(BELOW_ONE)
}

/// Successive draws, each with a key of its own: the state that `mx.random.seed` sets in MLX.
///
/// ```
/// use nngpu::random::KeySequence;
///
/// // mx.random.seed(0); mx.random.uniform(shape=[3])
/// assert_eq!(KeySequence::new(0).uniform(0.0, 1.0, 3), [0.87241435, 0.11105156, 0.27708054]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySequence {
    state: Key,
}

impl KeySequence {
    /// The state after `mx.random.seed(seed)`.
    pub const fn new(seed: u64) -> KeySequence {
        KeySequence { state: Key::new(seed) }
    }

    /// The key of the next draw.
    pub fn next_key(&mut self) -> Key {
        let (state, key) = self.state.split();
        self.state = state;
        key
    }

    /// The next draw of `n` numbers in `[low, high)`; see [`Key::uniform`].
    pub fn uniform(&mut self, low: f32, high: f32, n: usize) -> Vec<f32> {
        self.next_key().uniform(low, high, n)
    }
}

/// What random numbers are drawn for. Each purpose has numbers of its own.
///
/// Drawing more for one purpose, or not drawing at all, leaves the others as they were.
/// The discriminants are part of the promise that a seed makes, and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Initial weights.
    Weights = 1,
    /// The order of the rows within an epoch; the stream is the epoch.
    Shuffling = 2,
    /// Which activations are dropped.
    Dropout = 3,
    /// Which rows are for training, validation and testing.
    Splits = 4,
    /// Which rows are drawn for an interval; the stream is the draw.
    Bootstrap = 8,
    /// In which order a column's values are dealt out again, to see what it contributes.
    Importance = 9,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Purpose; 6] = [
        Purpose::Weights,
        Purpose::Shuffling,
        Purpose::Dropout,
        Purpose::Splits,
        Purpose::Bootstrap,
        Purpose::Importance,
    ];
}

/// A random number generator for one stream of one purpose.
///
/// It gives both words of [`threefry2x32`] at the counters 0, 1, 2 and so on (low word first).
/// A stream has 2^65 words; making one costs two calls, so any epoch's numbers can be had directly.
/// It implements the traits of `rand`. What `rand` makes of its words can change
/// with a version of `rand`; what the functions here make of them cannot.
///
/// ```
/// use nngpu::random::{Key, Purpose, Threefry};
///
/// let order = |epoch| Threefry::new(Key::new(42), Purpose::Shuffling, epoch).permutation(150);
/// assert_eq!(order(7), order(7));
/// assert_ne!(order(7), order(8));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Threefry {
    key: Key,
    /// The counter of the next call.
    counter: u64,
    /// The second word of the last call, if it was not given out yet.
    spare: Option<u32>,
}

impl Threefry {
    /// A generator at the beginning of stream `stream` of `purpose`, below the master key `key`.
    pub const fn new(key: Key, purpose: Purpose, stream: u64) -> Threefry {
        Threefry { key: key.stream(purpose, stream), counter: 0, spare: None }
    }

    /// A number in `0..bound`, without bias towards any.
    ///
    /// # Panics
    ///
    /// If `bound` is 0.
    pub fn below(&mut self, bound: u32) -> u32 {
        assert_ne!(bound, 0, "random number below: bound");
        // The high word of word * bound is in 0..bound. Each result comes from floor(2^32 / bound)
        // words or from one more; refusing low words below 2^32 mod bound takes the surplus away.
        // Source: Lemire, "Fast random integer generation in an interval" (2019).
        let surplus = bound.wrapping_neg() % bound;
        loop {
            let product = u64::from(self.word()) * u64::from(bound);
            if product as u32 >= surplus {
                return (product >> 32) as u32;
            }
        }
    }

    /// The numbers `0..n` in random order, without bias towards any.
    ///
    /// Costs about `n / 2` calls and a vector of `n` words.
    ///
    /// ```
    /// use nngpu::random::{Key, Purpose, Threefry};
    ///
    /// let mut rng = Threefry::new(Key::new(42), Purpose::Splits, 0);
    /// let mut order = rng.permutation(5);
    /// order.sort_unstable();
    /// assert_eq!(order, [0, 1, 2, 3, 4]);
    /// ```
    pub fn permutation(&mut self, n: u32) -> Vec<u32> {
        let mut order: Vec<u32> = (0..n).collect();
        // Fisher-Yates: every position, from the last, takes one of those not yet taken.
        for last in (1..n).rev() {
            let chosen = self.below(last + 1);
            order.swap(last as usize, chosen as usize);
        }
        order
    }

    /// The next word.
    fn word(&mut self) -> u32 {
        if let Some(word) = self.spare.take() {
            return word;
        }
        let [first, second] = threefry2x32(self.key.0, [self.counter as u32, (self.counter >> 32) as u32]);
        self.counter = self.counter.wrapping_add(1);
        self.spare = Some(second);
        first
    }
}

impl TryRng for Threefry {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.word())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        utils::next_u64_via_u32(self)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        utils::fill_bytes_via_next_word(bytes, || self.try_next_u32())
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;

    fn words(purpose: Purpose, stream: u64) -> [u32; 3] {
        let mut rng = Threefry::new(Key::new(42), purpose, stream);
        std::array::from_fn(|_| rng.next_u32())
    }

    #[test]
    fn threefry_gives_the_published_answers() {
        // From the known-answer file of the Random123 library, lines `threefry2x32 20`.
        let check = |key, counter, expected: [u32; 2]| assert_eq!(threefry2x32(key, counter), expected);
        check([0, 0], [0, 0], [0x6b200159, 0x99ba4efe]);
        check([u32::MAX; 2], [u32::MAX; 2], [0x1cb996fc, 0xbb002be7]);
        check([0x13198a2e, 0x03707344], [0x243f6a88, 0x85a308d3], [0xc4923a9c, 0x483df7a0]);
    }

    #[test]
    fn key_holds_the_high_half_of_the_seed_first() {
        assert_eq!(Key::new(0x0123_4567_89ab_cdef).words(), [0x01234567, 0x89abcdef]);
    }

    #[test]
    fn derived_key_takes_the_low_half_of_the_index_first() {
        let key = Key::new(42);
        assert_eq!(key.derive(0x0123_4567_89ab_cdef).words(), threefry2x32(key.words(), [0x89abcdef, 0x01234567]));
    }

    #[test]
    fn bits_of_an_even_count_pair_the_halves() {
        let key = Key::new(42);
        let [a, c] = threefry2x32(key.words(), [0, 2]);
        let [b, d] = threefry2x32(key.words(), [1, 3]);
        assert_eq!(key.bits(4), [a, b, c, d]);
    }

    #[test]
    fn bits_of_an_odd_count_have_a_single_word_in_the_middle() {
        let key = Key::new(42);
        let [a, d] = threefry2x32(key.words(), [0, 3]);
        let [b, e] = threefry2x32(key.words(), [1, 4]);
        let [c, _] = threefry2x32(key.words(), [2, 0]);
        assert_eq!(key.bits(5), [a, b, c, d, e]);
        assert_eq!(key.bits(1), [threefry2x32(key.words(), [0, 0])[0]]);
        assert!(key.bits(0).is_empty());
    }

    #[test]
    fn unit_covers_zero_to_just_below_one() {
        assert_eq!(unit(0), 0.0);
        assert_eq!(unit(1 << 31), 0.5);
        assert_eq!(unit(u32::MAX - 128), 1.0 - f32::EPSILON / 2.0);
        assert_eq!(unit(u32::MAX - 127), 1.0 - f32::EPSILON / 2.0);
        assert_eq!(unit(u32::MAX), 1.0 - f32::EPSILON / 2.0);
    }

    #[test]
    fn uniform_rounds_the_product_before_the_sum() {
        // Found by search: here a fused multiply-add gives another last bit.
        let key = Key::new(0);
        let fraction = unit(key.bits(1)[0]);
        let (low, high) = (-0.3f32, 2.7f32);
        let fused = (high - low).mul_add(fraction, low);
        assert_ne!(key.uniform(low, high, 1), [fused], "the case tells nothing");
        assert_eq!(key.uniform(low, high, 1), [(high - low) * fraction + low]);
    }

    /// The pinned numbers were computed by another implementation of the same description, in Python.
    #[test]
    fn value_stability_of_streams() {
        assert_eq!(words(Purpose::Weights, 0), [0xcc0661a2, 0x9d25abd4, 0x5c7b5ff6]);
        assert_eq!(words(Purpose::Shuffling, 0), [0xf85ed71c, 0x4d0f915c, 0x42fce49f]);
        assert_eq!(words(Purpose::Dropout, 0), [0xa530a73a, 0xf50d92e8, 0xc6c5f558]);
        assert_eq!(words(Purpose::Splits, 0), [0x26e70a93, 0xffc0e6bb, 0xfe4a7e72]);
        let mut high_halves = Threefry::new(Key::new((1 << 32) + 7), Purpose::Shuffling, (1 << 32) + 5);
        assert_eq!([(); 3].map(|()| high_halves.next_u32()), [0x96c32d62, 0xcee5ae94, 0x70f9b666]);
    }

    #[test]
    fn value_stability_of_permutations() {
        let order = |purpose, stream| Threefry::new(Key::new(42), purpose, stream).permutation(11);
        assert_eq!(order(Purpose::Shuffling, 0), [7, 0, 9, 4, 6, 5, 8, 1, 2, 3, 10]);
        assert_eq!(order(Purpose::Shuffling, 1), [8, 3, 9, 0, 10, 7, 6, 5, 4, 2, 1]);
        assert_eq!(order(Purpose::Splits, 0), [7, 6, 4, 2, 3, 0, 10, 5, 8, 9, 1]);
    }

    #[test]
    fn value_stability_of_bounded_numbers() {
        // A quarter of the words is refused at this bound, the second word among them.
        let mut rng = Threefry::new(Key::new(42), Purpose::Weights, 0);
        assert_eq!(
            [(); 6].map(|()| rng.below(3 << 30)),
            [2567227705, 1163692024, 426304331, 720337272, 808162493, 302658248]
        );
    }

    #[test]
    #[should_panic(expected = "random number below: bound")]
    fn empty_range_is_refused() {
        Threefry::new(Key::new(42), Purpose::Splits, 0).below(0);
    }

    #[test]
    fn purposes_and_streams_differ() {
        let mut seen = Vec::new();
        for purpose in Purpose::ALL {
            for stream in [0, 1, 2, 1 << 32] {
                seen.push(words(purpose, stream));
            }
        }
        let n_streams = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), n_streams);
    }

    #[test]
    fn permutation_has_every_number_once() {
        for n in [0, 1, 2, 3, 5, 257, 1000] {
            let mut order = Threefry::new(Key::new(42), Purpose::Shuffling, 0).permutation(n);
            order.sort_unstable();
            assert_eq!(order, Vec::from_iter(0..n), "n = {n}");
        }
    }

    #[test]
    fn permutations_are_equally_frequent() {
        // 6,000 draws of six orders: 1,000 each, with a standard deviation of 29.
        let mut rng = Threefry::new(Key::new(42), Purpose::Shuffling, 0);
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..6000 {
            *counts.entry(rng.permutation(3)).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 6);
        assert!(counts.values().all(|count| (880..1120).contains(count)), "{counts:?}");
    }

    #[test]
    fn bounded_numbers_have_no_bias() {
        // Without refusals, two of every four words would give the numbers divisible by 3.
        let mut rng = Threefry::new(Key::new(42), Purpose::Splits, 0);
        let n_multiples = (0..9000).filter(|_| rng.below(3 << 30).is_multiple_of(3)).count();
        // 3,000 expected, with a standard deviation of 45.
        assert!((2820..3180).contains(&n_multiples), "{n_multiples}");
    }

    #[test]
    fn words_come_in_pairs_and_bytes_in_little_endian_order() {
        let key = Key::new(42).stream(Purpose::Dropout, 0).words();
        let ([a, b], [c, d]) = (threefry2x32(key, [0, 0]), threefry2x32(key, [1, 0]));
        let rng = Threefry::new(Key::new(42), Purpose::Dropout, 0);

        let mut single = rng.clone();
        assert_eq!([(); 4].map(|()| single.next_u32()), [a, b, c, d]);

        let mut double = rng.clone();
        assert_eq!(double.next_u32(), a);
        assert_eq!(double.next_u64(), u64::from(c) << 32 | u64::from(b));

        let mut bytes = [0; 6];
        let mut filled = rng;
        filled.fill_bytes(&mut bytes);
        assert_eq!(bytes[..4], a.to_le_bytes());
        assert_eq!(bytes[4..], b.to_le_bytes()[..2]);
        assert_eq!(filled.next_u32(), c, "a word that was begun is used up");
    }

    #[test]
    fn counter_carries_into_its_high_word() {
        let mut rng = Threefry::new(Key::new(42), Purpose::Dropout, 0);
        rng.counter = u64::from(u32::MAX);
        let first = rng.next_u64();
        let second = rng.next_u64();
        let expected = |counter| {
            let [low, high] = threefry2x32(rng.key.words(), counter);
            u64::from(high) << 32 | u64::from(low)
        };
        assert_eq!([first, second], [expected([u32::MAX, 0]), expected([0, 1])]);
    }
}
