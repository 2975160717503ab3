//! Types of expressions while they are checked, and how people read them.

use crate::ir::Expr;
use std::sync::Arc;
use stead_schema::model::JsonField;
use stead_schema::{CollectionId, FieldType, Schema, Slot, Span};

/// Bounds of a whole number, both inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) low: i128,
    pub(crate) high: i128,
}

impl Bounds {
    /// What an `int` field may hold without `min` and `max`.
    pub(crate) const FIELD: Self = Self { low: -((1 << 53) - 1), high: (1 << 53) - 1 };
    /// What an expression may reach. One less than i64 on the low side, so that a sign can always be flipped.
    pub(crate) const ANY: Self = Self { low: -(i64::MAX as i128), high: i64::MAX as i128 };

    pub(crate) fn of(ends: &[i128]) -> Self {
        Self { low: ends.iter().copied().min().unwrap_or(0), high: ends.iter().copied().max().unwrap_or(0) }
    }

    /// Without their signs.
    pub(crate) fn absolute(self) -> Self {
        Self { low: 0, high: self.low.abs().max(self.high.abs()) }
    }

    /// What that many decimal digits can count.
    pub(crate) fn of_digits(digits: u8) -> Self {
        let high = 10i128.pow(digits.into()) - 1;
        Self { low: -high, high }
    }

    pub(crate) fn fits(self) -> bool {
        self.low >= Self::ANY.low && self.high <= Self::ANY.high
    }
}

/// What an expression is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ty {
    /// The literal `null`.
    Null,
    Bool,
    Int(Bounds),
    Float,
    /// Units of `10^-scale` within bounds.
    Decimal {
        bounds: Bounds,
        scale: u8,
    },
    Text,
    Datetime,
    Date,
    Duration,
    /// A record, or its id: they compare alike.
    Id(CollectionId),
    Enum(Arc<[String]>),
    List(Box<Ty>),
    /// A place in a JSON document.
    Json(JsonPlace),
    /// Records of a collection; with a key, those whose field is that value.
    Set(SetOf),
    /// A name that is only good for its members.
    Space(Space),
    /// A value of a filter's parameter, whose type the other side decides.
    Param(serde_json::Value),
    /// Reported already.
    Broken,
}

/// Names with members.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Space {
    Auth,
    /// `auth.claims`.
    Claims,
    Request,
    /// `request.params`.
    Sent,
    Db,
    Params,
    /// A JSON object among the variables of `rules eval`.
    Object(Arc<serde_json::Map<String, serde_json::Value>>),
}

/// A place in a JSON document.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JsonPlace {
    /// RFC 6901 pointer, empty for the document.
    pub(crate) path: String,
    /// What the field's JSON Schema says of this place.
    pub(crate) schema: Option<serde_json::Value>,
}

/// A to-many relation or a whole collection.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SetOf {
    pub(crate) collection: CollectionId,
    /// The field that refers back, and to what.
    pub(crate) key: Option<(Slot, Box<Typed>)>,
}

/// A checked expression with its type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Typed {
    pub(crate) expr: Expr,
    pub(crate) ty: Ty,
    /// Whether it may be null, before narrowing.
    pub(crate) nullable: bool,
    pub(crate) span: Span,
}

impl Typed {
    pub(crate) fn new(expr: Expr, ty: Ty, nullable: bool, span: Span) -> Self {
        Self { expr, ty, nullable, span }
    }
}

impl Ty {
    /// The type of a field's values.
    pub(crate) fn of(collection: CollectionId, kind: &FieldType) -> Self {
        match kind {
            FieldType::Id => Self::Id(collection),
            FieldType::Text { .. }
            | FieldType::Email
            | FieldType::Url
            | FieldType::Uuid
            | FieldType::Slug => Self::Text,
            FieldType::Decimal { precision, scale, min, max } => {
                let digits = Bounds::of_digits(*precision);
                let low = min.map_or(digits.low, |min| min.units().into());
                let high = max.map_or(digits.high, |max| max.units().into());
                Self::Decimal { bounds: Bounds { low, high }, scale: *scale }
            }
            FieldType::Date => Self::Date,
            FieldType::Duration => Self::Duration,
            FieldType::Int { min, max } => Self::Int(Bounds {
                low: min.map_or(Bounds::FIELD.low, i128::from),
                high: max.map_or(Bounds::FIELD.high, i128::from),
            }),
            FieldType::Float { .. } => Self::Float,
            FieldType::Bool => Self::Bool,
            FieldType::Datetime => Self::Datetime,
            FieldType::Enum { values } => Self::Enum(values.as_slice().into()),
            FieldType::Ref { to, .. } => Self::Id(*to),
            FieldType::List { of, .. } => Self::List(Box::new(Self::of(collection, of))),
            FieldType::Json(field) => Self::Json(JsonPlace::root(field)),
        }
    }

    /// The type as people write it.
    pub(crate) fn name(&self, schema: &Schema) -> String {
        match self {
            Self::Null => "null".into(),
            Self::Bool => "bool".into(),
            Self::Int(_) => "int".into(),
            Self::Float => "float".into(),
            Self::Decimal { .. } => "decimal".into(),
            Self::Date => "date".into(),
            Self::Text => "text".into(),
            Self::Datetime => "datetime".into(),
            Self::Duration => "duration".into(),
            Self::Id(of) => format!("id<{}>", collection_name(schema, *of)),
            Self::Enum(values) => format!("enum ({})", values.join(", ")),
            Self::List(of) => format!("list<{}>", of.name(schema)),
            Self::Json(_) => "json".into(),
            Self::Set(set) => format!("set<{}>", collection_name(schema, set.collection)),
            Self::Space(Space::Auth) => "the caller".into(),
            Self::Space(_) => "a name with members".into(),
            Self::Param(_) => "a parameter".into(),
            Self::Broken => "unknown".into(),
        }
    }

    /// Whether values of it are numbers.
    pub(crate) fn is_number(&self) -> bool {
        matches!(self, Self::Int(_) | Self::Float | Self::Decimal { .. })
    }

    /// Whether values of it compare as text.
    pub(crate) fn is_textual(&self) -> bool {
        matches!(self, Self::Text | Self::Enum(_) | Self::Id(_))
    }
}

impl JsonPlace {
    fn root(field: &JsonField) -> Self {
        Self { path: String::new(), schema: Some(field.schema.clone()) }
    }

    /// The place of a member.
    pub(crate) fn member(&self, name: &str) -> Self {
        let schema = self.schema.as_ref().and_then(|s| s.get("properties")?.get(name).cloned());
        Self { path: format!("{}/{name}", self.path), schema }
    }

    /// The type that the JSON Schema pins this place to, if it does.
    pub(crate) fn pinned(&self) -> Option<Ty> {
        let schema = self.schema.as_ref()?;
        let words = schema.get("enum").and_then(|words| words.as_array());
        let words: Option<Vec<String>> =
            words.and_then(|words| words.iter().map(|word| word.as_str().map(str::to_owned)).collect());
        match (schema.get("type").and_then(|t| t.as_str()), words) {
            (None | Some("string"), Some(words)) => Some(Ty::Enum(words.into())),
            (Some("string"), None) => Some(Ty::Text),
            (Some("integer"), _) => Some(Ty::Int(Bounds::ANY)),
            (Some("boolean"), _) => Some(Ty::Bool),
            _ => None,
        }
    }
}

/// A collection's name.
pub(crate) fn collection_name(schema: &Schema, id: CollectionId) -> &str {
    schema.get(id).map_or("?", |c| &c.name)
}
