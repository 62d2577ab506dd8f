#![allow(missing_docs, dead_code)]
use crate::*;
pub struct Diagnosis;
impl Diagnosis {
    pub fn to_json(&self) -> String {
        String::new()
    }
    pub fn is_healthy(&self) -> bool {
        true
    }
}
impl std::fmt::Display for Diagnosis {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}
pub fn diagnose() -> Result<Diagnosis, Error> {
    Ok(Diagnosis)
}
