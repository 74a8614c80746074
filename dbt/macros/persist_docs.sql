{#- A view's own description is in its CREATE statement, so only the columns' are left to write: two requests a model
    instead of dbt's five. That every documented column exists is checked by a test, not by a look at each build. -#}
{% macro bigquery__persist_docs(relation, model, for_relation, for_columns) -%}
    {%- if for_columns and config.persist_column_docs() and model.columns -%}
        {%- do alter_column_comment(relation, model.columns) -%}
    {%- endif -%}
{%- endmacro %}
