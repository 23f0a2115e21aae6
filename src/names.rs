//! Names that people misspell.

/// The name most similar to `name`, if about two thirds of its letters are right, in any case.
pub fn nearest<'a>(name: &str, names: &'a [String]) -> Option<&'a String> {
    // Longer names are no slips of the hand, and comparing them takes time with the square.
    const LONGEST: usize = 200;
    names
        .iter()
        .filter_map(|other| {
            let longer = name.chars().count().max(other.chars().count());
            if longer > LONGEST {
                return None;
            }
            let distance = strsim::osa_distance(&name.to_lowercase(), &other.to_lowercase());
            let is_near = distance <= (longer / 3).max(1) && distance < longer;
            is_near.then_some((distance, other))
        })
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, other)| other)
}
