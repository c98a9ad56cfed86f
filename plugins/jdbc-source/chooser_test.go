package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/plugins/jdbc-source/internal/dialect"
	connect "github.com/tailrace/tailrace/sdk/go"
)

func TestListsAndPatternsChooseTables(t *testing.T) {
	all := []dialect.Table{
		{Schema: "public", Name: "orders"}, {Schema: "public", Name: "orders_old"}, {Schema: "sales", Name: "orders"}, {Schema: "sales", Name: "Items"},
	}
	for name, c := range map[string]struct {
		cfg  connect.Config
		want []string
	}{
		"all":                      {connect.Config{"table.names.qualify": "true"}, []string{"public.orders", "public.orders_old", "sales.orders", "sales.Items"}},
		"whitelist, bare":          {connect.Config{"table.whitelist": "orders_old, Items"}, []string{"public.orders_old", "sales.Items"}},
		"whitelist, with schema":   {connect.Config{"table.whitelist": "sales.orders"}, []string{"sales.orders"}},
		"whitelist, quoted":        {connect.Config{"table.whitelist": `"sales"."Items"`}, []string{"sales.Items"}},
		"whitelist is exact":       {connect.Config{"table.whitelist": "items,ORDERS"}, nil},
		"blacklist":                {connect.Config{"table.blacklist": "public.orders,Items"}, []string{"public.orders_old", "sales.orders"}},
		"include":                  {connect.Config{"table.include.list": `public\..*`}, []string{"public.orders", "public.orders_old"}},
		"include is for all of it": {connect.Config{"table.include.list": `orders`}, nil},
		"include and exclude":      {connect.Config{"table.include.list": `.*\.orders.*`, "table.exclude.list": `.*_old, public.*s`}, []string{"sales.orders"}},
		"exclude":                  {connect.Config{"table.exclude.list": `sales\..*`}, []string{"public.orders", "public.orders_old"}},
		"schema":                   {connect.Config{"schema.pattern": "s_le%"}, []string{"sales.orders", "sales.Items"}},
		"schema, a dot is a dot":   {connect.Config{"schema.pattern": "sal.s"}, nil},
		"without a schema":         {connect.Config{"schema.pattern": ""}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, chosen(t, c.cfg, all))
		})
	}
	shop := []dialect.Table{{Catalog: "shop", Name: "orders"}, {Catalog: "shop2", Name: "items"}}
	require.Equal(t, []string{"shop.orders"}, chosen(t, connect.Config{"catalog.pattern": "shop"}, shop))
	require.Equal(t, []string{"shop.orders", "shop2.items"}, chosen(t, connect.Config{"catalog.pattern": "shop%", "schema.pattern": "%"}, shop))
}

func chosen(t *testing.T, more connect.Config, all []dialect.Table) (names []string) {
	t.Helper()
	cfg := connect.Config{"connection.url": "x", "mode": "bulk", "topic.prefix": "t-"}
	for k, v := range more {
		cfg[k] = v
	}
	var c config
	require.NoError(t, connect.BindWith(definition(), cfg, &c))
	choose, err := newChooser(&c)
	require.NoError(t, err)
	tables, err := choose.choose(all)
	require.NoError(t, err)
	for _, table := range tables {
		names = append(names, table.String())
	}
	return names
}

func TestTwoTablesOfOneTopicAreRefused(t *testing.T) {
	choose, err := newChooser(&config{Prefix: "t-"})
	require.NoError(t, err)
	_, err = choose.choose([]dialect.Table{{Schema: "a", Name: "r"}, {Schema: "b", Name: "r"}})
	require.ErrorContains(t, err, `the tables a.r and b.r would both be written to topic "t-r"`)
}

// The real lists of the databases: types of tables, schemas and catalogs.
func TestTablesOfTheDatabaseAreListed(t *testing.T) {
	onEach(t, func(t *testing.T, db database) {
		db.exec(t, "CREATE TABLE r (id INTEGER PRIMARY KEY)", "CREATE VIEW v AS SELECT id FROM r")
		if db.kind == "postgresql" {
			db.exec(t, "CREATE SCHEMA other", "CREATE TABLE other.s (id int)", "CREATE MATERIALIZED VIEW m AS SELECT id FROM r", "CREATE TEMPORARY TABLE gone (id int)",
				"CREATE TABLE parts (id int) PARTITION BY RANGE (id)", "CREATE TABLE part1 PARTITION OF parts FOR VALUES FROM (1) TO (9)")
		}
		list := func(types string) (names []string) {
			var c config
			require.NoError(t, connect.BindWith(definition(), db.config(t, "bulk", nil, "table.types", types), &c))
			opened, _, err := c.database()
			require.NoError(t, err)
			conn, err := opened.Connect(t.Context())
			require.NoError(t, err)
			defer conn.Close()
			tables, err := conn.Tables(t.Context(), c.Types)
			require.NoError(t, err)
			for _, table := range tables {
				names = append(names, table.Name)
			}
			return names
		}
		tables, views := []string{"r"}, []string{"v"}
		if db.kind == "postgresql" {
			tables = []string{"s", "parts", "r"}
			require.Equal(t, []string{"m"}, list("MATERIALIZED VIEW"))
		}
		require.Equal(t, tables, list("table"))
		require.Equal(t, views, list("VIEW"))
		require.ElementsMatch(t, append(views, tables...), list("TABLE, VIEW"))
	})
}
