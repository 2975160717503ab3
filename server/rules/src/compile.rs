//! From a schema's rule texts to checked rules.

use crate::check::{Checker, Function, Names, RULE_LIMITS, Resource, Site, is_built_in};
use crate::ir::{AuthFact, Expr, FALSE, TRUE};
use crate::nearest::nearest;
use crate::normalise;
use crate::outline::{Clause, ClauseKind, Outline};
use crate::parser::parse;
use crate::syntax::{Fault, Kind, Node, Range};
use crate::types::{Bounds, Ty};
use std::collections::HashMap;
use std::sync::Arc;
use stead_schema::{
    Collection, CollectionId, Diagnostic, Field, Invariant, Operation, RuleSlot, RuleText, Schema, Slot,
    SlotSet,
};

/// Every rule of an app, checked against its schema.
#[derive(Debug, Clone, Default)]
pub struct RuleBook {
    /// By [`CollectionId`].
    pub collections: Vec<CollectionRules>,
    /// What no world may allow; for tools.
    pub invariants: Vec<CheckedInvariant>,
}

impl RuleBook {
    /// The rules of a collection.
    pub fn of(&self, id: CollectionId) -> Option<&CollectionRules> {
        self.collections.get(usize::from(id.0))
    }
}

/// An invariant whose exception was checked.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedInvariant {
    /// As declared.
    pub declared: Invariant,
    /// Where this is true, the invariant asks for nothing.
    pub unless: Option<Expr>,
}

/// The rules as far as they could be checked, and what is wrong with the others.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Rules with a mistake allow nobody and have no outline.
    pub book: RuleBook,
    /// Every mistake, several per rule where the parser can recover; in order of files and places.
    pub mistakes: Vec<Diagnostic>,
}

/// The rules of one collection. A missing rule is closed.
#[derive(Debug, Clone)]
pub struct CollectionRules {
    /// Whose they are.
    pub id: CollectionId,
    /// `list && read`, duplicates dropped.
    pub list: Rule,
    /// Who may see a record.
    pub read: Rule,
    /// Who may make one.
    pub create: Rule,
    /// Who may change a stored one.
    pub update_before: Rule,
    /// What it may become.
    pub update_after: Rule,
    /// Who may remove one.
    pub delete: Rule,
    /// By slot: who may read a field, beyond the record.
    pub field_read: Vec<Option<Rule>>,
    /// By slot: who may write a field, beyond the record.
    pub field_write: Vec<Option<Rule>>,
}

impl CollectionRules {
    /// Fields that no caller whom rules bind reads in any record.
    pub(crate) fn read_by_nobody(&self) -> SlotSet {
        let nobody = |rule: &Rule| rule.expr == FALSE || rule.expr == Expr::Auth(AuthFact::IsOperator);
        let hidden = |rule: &Option<Rule>| rule.as_ref().is_some_and(nobody);
        (0u16..)
            .map(Slot)
            .zip(&self.field_read)
            .filter(|(_, rule)| hidden(rule))
            .map(|(slot, _)| slot)
            .collect()
    }
}

/// A checked rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Allows iff true.
    pub expr: Expr,
    /// What the client is told on refusal.
    pub message: Option<Arc<str>>,
    /// Its source, for explanations; `None` when the slot was missing.
    pub source: Option<RuleText>,
    /// Its clauses as written; `None` when the slot was missing.
    pub outline: Option<Arc<Outline>>,
}

impl Rule {
    /// The rule of a slot that was left out.
    pub fn closed() -> Self {
        Self { expr: FALSE, message: None, source: None, outline: None }
    }

    /// Whether it was written, but with a mistake.
    pub fn is_broken(&self) -> bool {
        self.source.is_some() && self.outline.is_none()
    }
}

/// Parses, resolves, inlines and checks every rule of a schema.
///
/// # Errors
/// Every mistake, several per rule where the parser can recover; in order of files and places.
pub fn compile(schema: &Schema) -> Result<RuleBook, Vec<Diagnostic>> {
    let Attempt { book, mistakes } = attempt(schema);
    if mistakes.is_empty() { Ok(book) } else { Err(mistakes) }
}

/// The same for tools, which have something to say about the rest of the rules too.
pub fn attempt(schema: &Schema) -> Attempt {
    let mut found = Vec::new();
    let functions = functions(schema, &mut found);
    for (name, function) in &functions {
        let checker = Checker::new(schema, &functions, site(None, Position::Function), RULE_LIMITS);
        found.extend(checker.function(function, name));
    }
    let mut compiler = Compiler { schema, functions: &functions, found };
    let collections = schema.collections.iter().map(|collection| compiler.collection(collection)).collect();
    let invariants = schema.invariants.iter().filter_map(|declared| compiler.invariant(declared)).collect();
    let mut mistakes = compiler.found;
    mistakes.sort_by_key(|d| (d.span.file, d.span.start, d.span.end));
    mistakes.dedup_by(|a, b| a.code == b.code && a.span == b.span);
    Attempt { book: RuleBook { collections, invariants }, mistakes }
}

/// Where a rule stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    Slot(RuleSlot, bool),
    FieldRead,
    FieldWrite,
    Function,
}

fn site(collection: Option<CollectionId>, position: Position) -> Site<'static> {
    use RuleSlot::{Create, Delete, List, Read, UpdateAfter, UpdateBefore};
    let resource = match position {
        Position::Slot(Create, _) => Resource::Absent("does not exist when a record is made; write `next`"),
        Position::Slot(UpdateAfter, true) => Resource::Proposed,
        Position::Slot(..) | Position::FieldRead => Resource::Stored,
        Position::FieldWrite => Resource::Perhaps,
        Position::Function => Resource::Absent("does not exist in a function"),
    };
    let rebound = matches!(position, Position::Slot(UpdateAfter, true));
    let after = matches!(position, Position::Slot(UpdateAfter, false));
    let create = matches!(position, Position::Slot(Create, _));
    let write = position == Position::FieldWrite;
    Site {
        collection,
        resource,
        next: create || after || write,
        changes: after,
        sets: create || after || rebound || write || matches!(position, Position::Slot(UpdateBefore, _)),
        queried: matches!(position, Position::Slot(List | Read, _) | Position::FieldRead)
            && !matches!(position, Position::Slot(Delete, _)),
        names: Names::Rule,
    }
}

/// The declared functions, parsed. A broken one stays as a name, so that its calls are not mistakes too.
fn functions<'s>(schema: &'s Schema, found: &mut Vec<Diagnostic>) -> HashMap<&'s str, Function<'s>> {
    let mut functions = HashMap::new();
    for declared in &schema.functions {
        if is_built_in(&declared.name) {
            let message = format!("the language has a function `{}` of its own", declared.name);
            found.push(Diagnostic::new("E0307", declared.span, message).help("choose another name"));
        }
        let mut params = Vec::new();
        for (name, ty, span) in &declared.params {
            let ty = parameter_type(schema, ty.trim()).unwrap_or_else(|help| {
                let message = format!("`{ty}` is no type of a parameter");
                found.push(Diagnostic::new("E0316", *span, message).help(help));
                Ty::Broken
            });
            params.push((name.clone(), ty));
        }
        let body = parse(&declared.is.text, &RULE_LIMITS.source).unwrap_or_else(|faults| {
            found.extend(faults.into_iter().map(|fault| located(fault, &declared.is)));
            Node { kind: Kind::Broken, range: Range::default(), depth: 1 }
        });
        functions.insert(declared.name.as_str(), Function { params, body, text: &declared.is });
    }
    functions
}

fn parameter_type(schema: &Schema, written: &str) -> Result<Ty, String> {
    let inner = |of: &str| written.strip_prefix(of)?.strip_prefix('<')?.strip_suffix('>').map(str::trim);
    if let Some(of) = inner("list") {
        return parameter_type(schema, of).map(|of| Ty::List(Box::new(of)));
    }
    let collection = inner("id").unwrap_or(written);
    if let Some(collection) = schema.collection(collection) {
        return Ok(Ty::Id(collection.id));
    }
    Ok(match written {
        "bool" => Ty::Bool,
        "int" => Ty::Int(Bounds::FIELD),
        "float" => Ty::Float,
        "text" => Ty::Text,
        // The scale is that of what is handed in.
        "decimal" => Ty::Decimal { bounds: Bounds::of_digits(18), scale: 0 },
        "datetime" => Ty::Datetime,
        "date" => Ty::Date,
        "duration" => Ty::Duration,
        _ => {
            let names = schema.collections.iter().map(|c| c.name.as_str());
            let near = nearest(
                collection,
                names.chain(["bool", "int", "float", "decimal", "text", "datetime", "date", "duration"]),
            );
            return Err(near.map_or_else(
                || "write a collection, `id<collection>`, `list<text>`, bool, int, float, decimal, text, datetime, date or duration".into(),
                |near| format!("did you mean `{near}`?"),
            ));
        }
    })
}

fn located(fault: Fault, text: &RuleText) -> Diagnostic {
    let span = text.locate(fault.range.start, fault.range.end);
    let diagnostic = Diagnostic::new(fault.code, span, fault.message);
    match fault.help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

struct Compiler<'s> {
    schema: &'s Schema,
    functions: &'s HashMap<&'s str, Function<'s>>,
    found: Vec<Diagnostic>,
}

impl Compiler<'_> {
    fn collection(&mut self, collection: &Collection) -> CollectionRules {
        let mut rule = |slot: RuleSlot| match collection.rules.get(&slot) {
            Some(text) => {
                let name = rule_name(collection, slot);
                self.rule(text, collection.id, Position::Slot(slot, text.rebind_to_next), name)
            }
            None => Rule::closed(),
        };
        let read = rule(RuleSlot::Read);
        let list = match collection.rules.contains_key(&RuleSlot::List) {
            true => {
                let list = rule(RuleSlot::List);
                Rule { expr: normalise::all([list.expr.clone(), read.expr.clone()]), ..list }
            }
            false => read.clone(),
        };
        CollectionRules {
            id: collection.id,
            list,
            read,
            create: rule(RuleSlot::Create),
            update_before: rule(RuleSlot::UpdateBefore),
            update_after: rule(RuleSlot::UpdateAfter),
            delete: rule(RuleSlot::Delete),
            field_read: self.field_rules(collection, Position::FieldRead),
            field_write: self.field_rules(collection, Position::FieldWrite),
        }
    }

    fn field_rules(&mut self, collection: &Collection, position: Position) -> Vec<Option<Rule>> {
        let mut of = |field: &Field| {
            let (text, kind) = match position {
                Position::FieldRead => (field.read.as_ref()?, "read"),
                _ => (field.write.as_ref()?, "write"),
            };
            Some(self.rule(
                text,
                collection.id,
                position,
                format!("{}.{}.{kind}", collection.name, field.name),
            ))
        };
        collection.fields.iter().map(&mut of).collect()
    }

    fn rule(&mut self, text: &RuleText, collection: CollectionId, position: Position, name: String) -> Rule {
        let (expr, root) = self.checked(text, collection, position).unwrap_or_else(|mistakes| {
            self.found.extend(mistakes);
            (FALSE, None)
        });
        let outline = root.map(|root| Arc::new(Outline { name: name.into(), root }));
        Rule { expr, message: text.message.as_deref().map(Arc::from), source: Some(text.clone()), outline }
    }

    fn invariant(&mut self, declared: &Invariant) -> Option<CheckedInvariant> {
        let position = match declared.op {
            Operation::List | Operation::Read => Position::Slot(RuleSlot::Read, false),
            Operation::Create => Position::Slot(RuleSlot::Create, false),
            Operation::Update => Position::Slot(RuleSlot::UpdateAfter, false),
            Operation::Delete => Position::Slot(RuleSlot::Delete, false),
        };
        let unless = match &declared.unless {
            None => None,
            Some(text) => match self.checked(text, declared.collection, position) {
                Ok((expr, _)) => Some(expr),
                Err(mistakes) => {
                    self.found.extend(mistakes);
                    return None;
                }
            },
        };
        Some(CheckedInvariant { declared: declared.clone(), unless })
    }

    fn checked(
        &self,
        text: &RuleText,
        collection: CollectionId,
        position: Position,
    ) -> Result<(Expr, Option<Clause>), Vec<Diagnostic>> {
        if let Some(clause) = keyword(text) {
            return Ok((clause.expr.clone(), Some(clause)));
        }
        let node = parse(&text.text, &RULE_LIMITS.source)
            .map_err(|faults| faults.into_iter().map(|fault| located(fault, text)).collect::<Vec<_>>())?;
        if node.kind == Kind::Bool(true) {
            let span = text.locate(node.range.start, node.range.end);
            let help = "write `public` if everyone may";
            return Err(vec![Diagnostic::new("E0210", span, "a rule cannot be just `true`").help(help)]);
        }
        let checker =
            Checker::new(self.schema, self.functions, site(Some(collection), position), RULE_LIMITS);
        checker.outlined(&node, text)
    }
}

/// A rule that is one of the keywords.
fn keyword(text: &RuleText) -> Option<Clause> {
    let (expr, kind) = match text.text.trim() {
        "public" => (TRUE, ClauseKind::Keyword),
        "nobody" => (FALSE, ClauseKind::Keyword),
        "staff" => (Expr::Auth(AuthFact::IsOperator), ClauseKind::Keyword),
        "authenticated" => (normalise::not(Expr::Auth(AuthFact::IsAnonymous)), ClauseKind::Atom),
        _ => return None,
    };
    let span = text.locate(0, text.text.len());
    Some(Clause { span, shown: text.text.trim().into(), kind, expr, nullable: false, parts: Vec::new() })
}

/// How clauses of a collection's rule are called; see [`Outline::name`].
fn rule_name(collection: &Collection, slot: RuleSlot) -> String {
    let whole = collection.rules.get(&RuleSlot::UpdateAfter).is_some_and(|text| text.rebind_to_next);
    let slot = match slot {
        RuleSlot::List => "list",
        RuleSlot::Read => "read",
        RuleSlot::Create => "create",
        RuleSlot::UpdateBefore | RuleSlot::UpdateAfter if whole => "update",
        RuleSlot::UpdateBefore => "update.before",
        RuleSlot::UpdateAfter => "update.after",
        RuleSlot::Delete => "delete",
    };
    format!("{}.{slot}", collection.name)
}
