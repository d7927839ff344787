    -- Labels of a stream -> resource: the first of the names by which people mean a service, or an environment, becomes it; the others stay themselves.
    l -> arrayFirst(k -> l[k] != '', ['service_name', 'service', 'app', 'job', 'container']) AS service_label,
    l -> arrayFirst(k -> l[k] != '', ['env', 'environment', 'deployment_environment', 'deployment_environment_name']) AS env_label,
    (declared, l) -> mapUpdate(declared, mapUpdate(mapFilter((k, v) -> k NOT IN (service_label(l), env_label(l)), l), mapFilter((k, v) -> v != '', map(
        'service.name', l[service_label(l)], 'deployment.environment.name', l[env_label(l)])))) AS with_labels,
