//! What `auth.…` and `request.…` mean.
//!
//! Names that `app.yaml` declares (claims, parameters) and those of the language are told apart here and nowhere else.

use super::{Checker, Env};
use crate::ir::{AuthFact, Claim, Expr, RequestFact};
use crate::method::Method;
use crate::nearest::did_you_mean;
use crate::syntax::Ident;
use crate::types::{Bounds, Space, Ty, Typed};
use std::sync::Arc;
use stead_schema::{CollectionId, Fact, Span};

const CALLER: [&str; 8] = ["id", "roles", "verified", "user", "claims", "method", "aal", "session_started"];
const REQUEST: [&str; 6] = ["time", "op", "ip", "origin", "params", "sets"];

impl Checker<'_> {
    pub(super) fn auth_member(&mut self, member: &Ident, span: Span, env: &Env<'_>) -> Typed {
        let fact = |fact: AuthFact, ty: Ty| Typed::new(Expr::Auth(fact), ty, true, span);
        match &*member.name {
            "id" => self.caller_id(span),
            "verified" => fact(AuthFact::Verified, Ty::Bool),
            "roles" => {
                let roles = Ty::Enum(self.schema.app.roles.as_slice().into());
                fact(AuthFact::Roles, Ty::List(Box::new(roles)))
            }
            "method" => {
                let names = Method::ALL.map(|method| method.name().to_owned());
                fact(AuthFact::Method, Ty::Enum(names.to_vec().into()))
            }
            "aal" => fact(AuthFact::Aal, Ty::Int(Bounds { low: 1, high: 2 })),
            "session_started" => fact(AuthFact::SessionStarted, Ty::Datetime),
            "claims" => Typed::new(crate::ir::NULL, Ty::Space(Space::Claims), false, span),
            "user" if self.schema.users().is_some() => self.caller_id(span),
            "user" => {
                self.report("E0306", env, member.range, "`auth.user` needs a collection of `kind: auth`")
            }
            "org" | "entitlements" => {
                let message = format!("`auth.{}` is not supported yet", member.name);
                let help = format!("the caller has {}", listed(&CALLER));
                self.report_help("E0301", env, member.range, &message, help)
            }
            other => {
                let help = did_you_mean(other, CALLER)
                    .unwrap_or_else(|| format!("the caller has {}", listed(&CALLER)));
                self.report_help("E0301", env, member.range, &format!("`auth` has no `{other}`"), help)
            }
        }
    }

    pub(super) fn request_member(&mut self, member: &Ident, span: Span, env: &Env<'_>) -> Typed {
        let fact = |fact: RequestFact, ty: Ty, nullable| Typed::new(Expr::Request(fact), ty, nullable, span);
        match &*member.name {
            "time" => Typed::new(Expr::Now, Ty::Datetime, false, span),
            "op" => {
                let ops = ["list", "read", "create", "update", "delete"].map(str::to_owned);
                fact(RequestFact::Op, Ty::Enum(ops.to_vec().into()), false)
            }
            "ip" => fact(RequestFact::Ip, Ty::Text, true),
            "origin" => fact(RequestFact::Origin, Ty::Text, true),
            "params" => Typed::new(crate::ir::NULL, Ty::Space(Space::Sent), false, span),
            other => {
                let help = did_you_mean(other, REQUEST)
                    .unwrap_or_else(|| format!("a request has {}", listed(&REQUEST)));
                self.report_help("E0301", env, member.range, &format!("`request` has no `{other}`"), help)
            }
        }
    }

    pub(super) fn claim(&mut self, member: &Ident, span: Span, env: &Env<'_>) -> Typed {
        let Some(fact) = self.schema.app.claim(&member.name) else {
            return self.undeclared("claim", "claims", &self.schema.app.claims, member, env);
        };
        let claim = Claim { name: (&*member.name).into(), default: fact.default.clone().unwrap_or_default() };
        Typed::new(Expr::Auth(AuthFact::Claim(Arc::new(claim))), type_of(fact), true, span)
    }

    pub(super) fn request_param(&mut self, member: &Ident, span: Span, env: &Env<'_>) -> Typed {
        match self.schema.app.request_param(&member.name) {
            Some(fact) => {
                let param = RequestFact::Param((&*member.name).into());
                Typed::new(Expr::Request(param), type_of(fact), true, span)
            }
            None => {
                self.undeclared("parameter", "request_params", &self.schema.app.request_params, member, env)
            }
        }
    }

    fn undeclared(
        &mut self,
        what: &str,
        section: &str,
        declared: &[Fact],
        member: &Ident,
        env: &Env<'_>,
    ) -> Typed {
        let name = &member.name;
        let help = did_you_mean(name, declared.iter().map(|fact| fact.name.as_str())).unwrap_or_else(|| {
            format!("declare it in app.yaml: `auth: {{{section}: {{{name}: {{type: text}}}}}}`")
        });
        self.report_help("E0301", env, member.range, &format!("no {what} `{name}` is declared"), help)
    }
}

/// Neither a claim nor a parameter is the id of a record.
fn type_of(fact: &Fact) -> Ty {
    Ty::of(CollectionId(0), &fact.kind)
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
