//! Whether there is a place for us: the schema, its layout, and our rights.

use waystation_core::port::Finding;

use super::Look;
use crate::connection::LAYOUT_VERSION;
use crate::error::Result;

const RIGHTS: &[&str] = &["SELECT", "INSERT", "UPDATE", "DELETE"];

impl Look<'_> {
    /// The schema.
    pub async fn place(&self) -> Result<Vec<Finding>> {
        let schema = &self.options.schema;
        let sql = "SELECT current_user::text, current_database()::text, \
             has_database_privilege(current_database(), 'CREATE'), \
             (SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = $1), \
             (SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = $1)";
        let row = self.row(sql, &[schema]).await?;
        let (role, database): (String, String) = (row.get(0), row.get(1));
        let uses: Option<bool> = row.get(3);
        let creates = row.get::<_, Option<bool>>(4).unwrap_or(false);
        match uses {
            None if row.get(2) => {
                let message = format!("no schema {schema} yet: it is made at the first start");
                Ok(vec![Finding::fine("schema", message)])
            }
            None => Ok(vec![Finding::refuse(
                "schema",
                format!("there is no schema {schema}, and role {role} may not make one"),
                format!(
                    "GRANT CREATE ON DATABASE \"{database}\" TO \"{role}\", or \
                     CREATE SCHEMA {schema} AUTHORIZATION \"{role}\""
                ),
            )]),
            Some(false) => Ok(vec![Finding::refuse(
                "schema",
                format!("role {role} may not use schema {schema}"),
                format!("GRANT USAGE, CREATE ON SCHEMA {schema} TO \"{role}\""),
            )]),
            Some(true) => Ok(vec![self.tables(&role, creates).await?]),
        }
    }

    async fn tables(&self, role: &str, creates: bool) -> Result<Finding> {
        let schema = &self.options.schema;
        let sql = "SELECT relname::text, right_to FROM pg_class \
             JOIN pg_namespace ON pg_namespace.oid = relnamespace, unnest($2::text[]) AS right_to \
             WHERE nspname = $1 AND relkind = 'r' \
             AND NOT has_table_privilege(pg_class.oid, right_to) ORDER BY 1, 2";
        let rights = RIGHTS.to_vec();
        let lacking = self.rows(sql, &[schema, &rights]).await?;
        if let Some(row) = lacking.first() {
            let (table, right): (String, String) = (row.get(0), row.get(1));
            let more = lacking.len() - 1;
            return Ok(Finding::refuse(
                "schema",
                format!("role {role} lacks {right} on {schema}.{table}, and {more} rights more"),
                format!(
                    "GRANT {} ON ALL TABLES IN SCHEMA {schema} TO \"{role}\"",
                    RIGHTS.join(", ")
                ),
            ));
        }
        let found = self.layout().await?;
        let known = LAYOUT_VERSION;
        if found > known {
            let message = format!("schema {schema} has version {found}, newer than our {known}");
            return Ok(Finding::refuse(
                "schema",
                message,
                "use the newer Waystation that wrote it",
            ));
        }
        if found < known && !creates {
            return Ok(Finding::refuse(
                "schema",
                format!(
                    "schema {schema} has version {found} of {known}, and role {role} may not \
                     bring it up to date"
                ),
                format!("GRANT CREATE ON SCHEMA {schema} TO \"{role}\""),
            ));
        }
        let later = if found < known { ", brought up to date at the next start" } else { "" };
        Ok(Finding::fine("schema", format!("schema {schema}, version {found} of {known}{later}")))
    }

    /// The version of the tables in our schema; zero without any.
    async fn layout(&self) -> Result<i64> {
        let schema = &self.options.schema;
        let name = format!("{schema}.layout");
        let row = self.row("SELECT to_regclass($1) IS NOT NULL", &[&name]).await?;
        if !row.get::<_, bool>(0) {
            return Ok(0);
        }
        let sql = format!("SELECT coalesce(max(version), 0) FROM {schema}.layout");
        Ok(self.row(&sql, &[]).await?.get(0))
    }
}
