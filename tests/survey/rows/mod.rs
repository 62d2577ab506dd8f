//! The rows of the survey, by family.

mod data;
mod languages;
mod places;
mod shells;
mod system;
mod web;

use crate::row::Row;

pub(crate) fn all() -> Vec<Row> {
    [shells::rows(), web::rows(), data::rows(), languages::rows(), system::rows(), places::rows()].concat()
}
