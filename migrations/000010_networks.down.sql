DROP TABLE csp_reports, networks;
