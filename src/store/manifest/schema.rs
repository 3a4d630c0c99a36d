//! The JSON Schema of manifests: `docs/manifest.schema.json`.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::checksum;
use super::document::Manifest;

/// The JSON Schema of a manifest, with a line end.
///
/// # Errors
/// None that is known of.
pub fn schema() -> Result<Vec<u8>, serde_json::Error> {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<Manifest>();
    let checksum = serde_json::json!({
        "description": "SHA-256 in hex of the other values: of the JSON without space and with its keys sorted.",
        "type": "string",
        "pattern": "^[0-9a-f]{64}$",
    });
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert(checksum::KEY.to_owned(), checksum);
    }
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.push(checksum::KEY.into());
    }
    let mut bytes = serde_json::to_vec_pretty(&schema)?;
    bytes.push(b'\n');
    Ok(bytes)
}
