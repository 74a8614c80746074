{#- dbt would write to `<target dataset>_<schema>`. Access files name datasets exactly, so a model's schema is its dataset.
    https://docs.getdbt.com/docs/build/custom-schemas -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if custom_schema_name is none -%}
        {{ target.schema }}
    {%- else -%}
        {{ custom_schema_name | trim }}
    {%- endif -%}
{%- endmacro %}
