use super::Formula;
