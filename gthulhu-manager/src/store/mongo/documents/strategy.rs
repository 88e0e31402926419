//! Strategies.

use gthulhu_lib::selector::Selector;
use mongodb::bson::{Bson, doc};

use super::{Image, Reader, int, oid};
use crate::domain::Strategy;

pub(super) fn write(strategy: &Strategy, image: &mut Image) {
    let selector = |selector: &Selector| {
        Bson::from(doc! { "key": selector.key.as_str(), "value": selector.value.as_str() })
    };
    let selectors: Vec<Bson> = strategy.label_selectors.iter().map(selector).collect();
    image.put("strategyNamespace", strategy.strategy_namespace.as_str());
    image.put("labelSelectors", selectors);
    image.put("k8sNamespace", strategy.k8s_namespace.clone());
    image.put("commandRegex", strategy.command_regex.as_str());
    image.put("priority", int(strategy.priority));
    image.put("executionTime", Bson::Int64(strategy.execution_time));
    image.put_time("createdTime", strategy.created_ms);
    image.put_time("updatedTime", strategy.updated_ms);
    image.put("creatorID", oid(strategy.creator));
    image.put("updaterID", oid(strategy.updater));
}

pub(super) fn read(reader: &Reader<'_>) -> Result<Strategy, String> {
    let creator = reader.required_id("creatorID")?;
    let selectors = reader.documents("labelSelectors")?;
    let selector =
        |fields: Reader<'_>| Ok(Selector::new(fields.required_text("key")?, fields.text_or_empty("value")?));
    Ok(Strategy {
        id: reader.required_id("_id")?,
        creator,
        updater: reader.id("updaterID")?.unwrap_or(creator),
        created_ms: reader.number_or_zero("createdTime")?,
        updated_ms: reader.number_or_zero("updatedTime")?,
        strategy_namespace: reader.text_or_empty("strategyNamespace")?,
        label_selectors: selectors.into_iter().map(selector).collect::<Result<_, String>>()?,
        k8s_namespace: reader.texts("k8sNamespace")?,
        command_regex: reader.text_or_empty("commandRegex")?,
        priority: reader.number_or_zero("priority")?,
        execution_time: reader.number_or_zero("executionTime")?,
    })
}
