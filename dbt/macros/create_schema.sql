{#- A dataset that dbt made would carry BigQuery's default access, readable by every member of the project. -#}
{% macro bigquery__create_schema(relation) -%}
    {{ exceptions.raise_compiler_error(
        "dataset " ~ relation.without_identifier() ~ " does not exist, or " ~ target.name ~ "'s identity may not see it: "
        ~ "datasets and their access come from iam/, so run `noren acl apply` first."
    ) }}
{%- endmacro %}
