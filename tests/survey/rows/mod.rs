//! The rows of the survey, by family.

mod shells;

use crate::row::Row;

pub(crate) fn all() -> Vec<Row> {
    let mut rows = Vec::new();
    rows.extend(shells::rows());
    rows
}
