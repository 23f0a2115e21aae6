//! Hand-worked answers.
