{#- Degrees, rounded to two decimals: a cell of about 1.1 km. `+ 0.0` turns a rounded -0.0 into 0.0. -#}
{% macro area_degrees(degrees) -%}
    (round({{ degrees }}, 2) + 0.0)
{%- endmacro %}

{#- The cell as text, '35.70,139.62'; null where there is no location. -#}
{% macro area_id(latitude, longitude) -%}
    format('%.2f,%.2f', {{ area_degrees(latitude) }}, {{ area_degrees(longitude) }})
{%- endmacro %}
