{{/* Every secret of the system: its namespace and its keys. A value is a template: {name} stands for the generated
     password of that name, {fernet} for a Fernet key. Nothing here is secret. */}}
{{- define "secrets.table" -}}
{{- $tasks := .Values.tasksNamespace }}
{{- $server := printf "%s:%v" .Values.database.host .Values.database.port }}
{{- $own := printf "%s/continuous_training" $server }}
{{- $airflow := printf "airflow:{airflow_database}@%s/airflow" $server }}
database-admin:
  username: postgres
  password: "{postgres}"
  url: postgresql://postgres:{postgres}@{{ $server }}/postgres
database-accounts:
  owner: "{owner}"
  mlflow_database: "{mlflow_database}"
  airflow_database: "{airflow_database}"
  pipeline: "{pipeline}"
  serving: "{serving}"
  dashboard: "{dashboard}"
  exporter: "{exporter}"
database-owner:
  url: postgresql://ct_owner:{owner}@{{ $own }}
mlflow-database:
  url: postgresql+psycopg2://mlflow:{mlflow_database}@{{ $server }}/mlflow
serving-database:
  url: postgresql://serving:{serving}@{{ $own }}
dashboard-database:
  url: postgresql://dashboard:{dashboard}@{{ $own }}
exporter-database:
  url: postgresql://exporter:{exporter}@{{ $own }}
object-store:
  access_key: mlflow
  secret_key: "{object_store}"
airflow:
  AIRFLOW__DATABASE__SQL_ALCHEMY_CONN: postgresql+psycopg://{{ $airflow }}
  AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC: postgresql+psycopg_async://{{ $airflow }}
  AIRFLOW__CORE__FERNET_KEY: "{fernet}"
  AIRFLOW__API__SECRET_KEY: "{airflow_api}"
  AIRFLOW__API_AUTH__JWT_SECRET: "{airflow_jwt}"
airflow-passwords:
  passwords.json: '{"admin": "{airflow_admin}"}'
{{ $tasks }}/continuous-training-database:
  url: postgresql://pipeline:{pipeline}@{{ $own }}
{{ $tasks }}/continuous-training-database-admin:
  url: postgresql://ct_owner:{owner}@{{ $own }}
{{- end }}
